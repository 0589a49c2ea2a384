package view

import "strings"

// A product is a name for people, and the word of a User-Agent that it goes by.
type product struct{ word, name string }

// Browsers name those that they descend from: whoever does so most stands first. So it is with
// systems.
var (
	browsers = []product{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}}
	systems = []product{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Macintosh", "macOS"}, {"Linux", "Linux"}}
)

// Browser is a User-Agent as people say it, such as "Firefox on Windows". What it does not know it
// leaves as it is.
func Browser(userAgent string) string {
	browser, system := find(browsers, userAgent), find(systems, userAgent)
	switch {
	case userAgent == "":
		return "Unknown browser"
	case browser == "":
		return userAgent
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// find returns the name of the first of list that s has the word of, "" for none.
func find(list []product, s string) string {
	for _, p := range list {
		if strings.Contains(s, p.word) {
			return p.name
		}
	}
	return ""
}
