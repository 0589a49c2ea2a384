package packed

// dictionary is what the deflated claims of a token may refer to before they have said anything:
// the claims of OpenID Connect Core §2 and §5.1, of RFC 9068 and of common providers, in the orders
// in which they are written, with nothing where a user's or a client's own value goes. What is
// likeliest stands last: it is nearest, and nearer is shorter. It is part of format version 1 and
// never changes; another dictionary is another version.
var dictionary = withSymbols("" +
	// Rare claims.
	`,"website":"https://","zoneinfo":"Europe/","birthdate":"","gender":"","address":{"formatted":"","street_address":"","locality":"` +
	`","region":"","postal_code":"","country":""},"phone_number":"+","phone_number_verified":true,"middle_name":"","profile":"https://` +
	`","permissions":["read:","write:"],"https://schemas./claims/","http://schemas.microsoft.com/ws/2008/06/identity/claims/role":"` +
	`","hd":"","urn:zitadel:iam:org:project:roles":{"","entitlements":["","org_id":"","tenant_id":"","cnf":{"jkt":"","x5t#S256":"` +
	`","_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://graph.windows.net//users//getMemberObjects"}}` +
	`,"acrs":["p1","c1","urn:user:registersecurityinfo"],"urn:mace:incommon:iap:silver","amr":["pwd","mfa","otp","hwk","swk","rsa"],"` +
	// Okta, Auth0, Duende, Google.
	`{"kid":"","alg":"RS256"}.{"ver":1,"jti":"ID.","jti":"AT.","iss":"https://.okta.com/oauth2/default","aud":"api://default` +
	`","cid":"0oa","uid":"00u","scp":["openid","profile","email","offline_access"],"idp":"00o","auth_time":17,"sub":"00u` +
	`{"alg":"RS256","typ":"JWT","kid":""}.{"nickname":"","name":"","picture":"https://s.gravatar.com/avatar/","updated_at":"2026-` +
	`","iss":"https://.auth0.com/","aud":["https:///api","https://.auth0.com/userinfo"],"sub":"auth0|","gty":"password` +
	`","azp":"","scope":"openid profile email offline_access","sub":"google-oauth2|","iss":"https://accounts.google.com","azp":"` +
	`.apps.googleusercontent.com","aud":"","picture":"https://lh3.googleusercontent.com/a/","locale":"en-US","locale":"de"` +
	`{"alg":"RS256","kid":"","typ":"at+jwt"}.{"iss":"https://","nbf":17,"iat":17,"exp":17,"aud":"","client_id":"","sub":"` +
	`","scope":["openid","profile","email","offline_access"],"amr":["pwd"],"auth_time":17,"idp":"local","sid":"","jti":"` +
	// Entra ID.
	`{"typ":"JWT","alg":"RS256","kid":"~1"}.{"aud":"^1","iss":"https://login.microsoftonline.com/^2/v2.0","iat":17,"nbf":17,"exp":17` +
	`,"acct":0,"aio":"~2","auth_time":17,"email":"","family_name":"","given_name":"","ipaddr":"","login_hint":"","name":"","nonce":"~3` +
	`","oid":"^3","preferred_username":"","rh":"~4","roles":["","sid":"^4","sub":"~5","tid":"^2","uti":"~6","ver":"2.0"}.` +
	`{"typ":"JWT","alg":"RS256","x5t":"~1","kid":"~1"}.{"aud":"api://^1","iss":"https://sts.windows.net/^2/","iat":17,"nbf":17,"exp":17` +
	`,"acct":0,"acr":"1","aio":"~7","amr":["pwd","mfa"],"app_displayname":"","appid":"^1","appidacr":"1","azp":"^1","azpacr":"1","email":"` +
	`","family_name":"","given_name":"","groups":["^5"],"idtyp":"user","ipaddr":"","name":"","oid":"^3","onprem_sid":"S-1-5-21-` +
	`","platf":"3","puid":"1003","rh":"~8","roles":["","scp":"User.Read openid profile email","sid":"^4","signin_state":["kmsi"]` +
	`,"sub":"~9","tenant_region_scope":"EU","tid":"^2","unique_name":"","upn":"","uti":"~:","ver":"1.0","wids":["b79fbf4d-3ef9-4689-8143-` +
	`76b194e85509"],"wids":["^6"],"xms_ftd":"~;","xms_idrel":"1 ","xms_st":{"sub":""},"xms_tcdt":16,"xms_tdbr":"EU"}.` +
	// Keycloak.
	`{"alg":"ES256","typ" : "JWT","kid" : "~1"}.{"alg":"RS256","typ" : "JWT","kid" : "~1"}.{"exp":17,"iat":17,"auth_time":17,"jti":"onrtac:` +
	`^1","iss":"https:///realms/","aud":["realm-management","broker","account"],"sub":"^2","typ":"Bearer","azp":"","session_state":"^3","nonce":"` +
	`","sid":"^3","acr":"1","acr":"0","allowed-origins":["https://"],"realm_access":{"roles":["default-roles-` +
	`","admin","user","offline_access","uma_authorization"]},"resource_access":{"realm-management":{"roles":["view-users","query-groups` +
	`"]},"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"scope":"openid email profile","scope":"openid ` +
	`profile email offline_access","groups":["/","roles":["` +
	`"}.{"alg":"HS512","typ" : "JWT","kid" : "^5"}.{"exp":17,"iat":17,"jti":"^6","iss":"https:///realms/","aud":"https://` +
	`","sub":"^2","typ":"Offline","typ":"Refresh","azp":"","sid":"^3","scope":"openid web-origins acr roles basic profile email"}.` +
	`{"alg":"RS256","typ" : "JWT","kid" : "~1"}.{"exp":17,"iat":17,"auth_time":17,"jti":"^4","iss":"https:///realms/` +
	`","aud":"account","sub":"^2","typ":"Bearer","azp":"","sid":"^3","acr":"1","allowed-origins":["*"],"realm_access":{"roles":["` +
	`offline_access","uma_authorization"]},"scope":"openid profile email"}.` +
	`{"alg":"RS256","typ" : "JWT","kid" : "~1"}.{"exp":17,"iat":17,"auth_time":17,"jti":"^1","iss":"https:///realms/` +
	`","aud":"","sub":"^2","typ":"ID","azp":"","nonce":"~2","sid":"^3","at_hash":"~3","acr":"1","email_verified":false` +
	`,"email_verified":true,"name":"","preferred_username":"","given_name":"","family_name":"","email":"@.com"}.`)

// withSymbols writes the symbols of values (outline.go) where they stand as a rule, so that text
// goes on behind them: ^1 is the first, ~1 the last. A dot behind claims is their end.
func withSymbols(text string) []byte {
	var out []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.' && out[len(out)-1] == '}':
			out = append(out, endOfClaims)
		case c == '^':
			i++
			out = append(out, symbols[text[i]-'1'])
		case c == '~':
			i++
			out = append(out, symbols[len(symbols)-1-int(text[i]-'1')])
		default:
			out = append(out, c)
		}
	}
	return out
}
