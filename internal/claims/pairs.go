package claims

// pairs are addresses and the marks that say whether they are verified (Core §5.1). What one party says of a mark means the
// address that the same party knows, so that a pair is taken whole or not at all.
var pairs = [][2]string{{"email", "email_verified"}, {"phone_number", "phone_number_verified"}}

// otherHalf returns the name that makes a pair with name, if there is one.
func otherHalf(name string) (string, bool) {
	for _, pair := range pairs {
		switch name {
		case pair[0]:
			return pair[1], true
		case pair[1]:
			return pair[0], true
		}
	}
	return "", false
}
