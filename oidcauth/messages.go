package oidcauth

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Messages are the texts of the built-in pages in one language, by id.
type Messages map[string]string

// pageMessages are the texts of pages other than those about problems, and what all pages share.
var pageMessages = Messages{
	"logout.title":      "Sign out?",
	"logout.text":       "This ends your session on this site and with the sign-in service.",
	"logout.submit":     "Sign out",
	"logout.stay":       "Stay signed in",
	"leave.title":       "You're signed out of this site",
	"leave.text":        "Continue to sign out of the sign-in service as well.",
	"leave.submit":      "Continue",
	"signed_out.title":  "You're signed out",
	"signed_out.text":   "If you're on a shared computer, close all browser windows.",
	"confirm.title":     "Confirming your device",
	"confirm.text":      "Your session is tied to this device. This takes only a moment.",
	"confirm.link":      "Continue",
	"onward.title":      "One moment, please",
	"onward.text":       "We're taking you to the page you asked for.",
	"onward.link":       "Continue",
	"choose.title":      "Choose where to sign in",
	"choose.last":       "Last used",
	"choose.email":      "Your work email",
	"choose.submit":     "Continue",
	"choose.unknown":    "No organization signs in with this email address. Check it, or ask your administrator for the sign-in link.",
	"choose.none":       "Ask your administrator for your organization's sign-in link.",
	"problem.user":      "You're signed in as %s.",
	"problem.switch":    "Use another account",
	"problem.choose":    "Use another sign-in service",
	"problem.reference": "Reference:",
	"link.login":        linkEnter,
	"link.login_again":  linkLogin,
	"link.retry":        linkRetry,
	"link.home":         linkHome,
	"link.back":         linkBack,
}

// linkMessages are the ids of links' texts.
var linkMessages = map[string]string{linkEnter: "link.login", linkLogin: "link.login_again", linkRetry: "link.retry", linkHome: "link.home", linkBack: "link.back"}

// english are all built-in texts.
var english = func() Messages {
	all := maps.Clone(pageMessages)
	for _, texts := range []map[string]problemText{problemTexts, problemVariants} {
		for code, text := range texts {
			all[titleOf(code)], all[adviceOf(code)] = text.title, text.advice
		}
	}
	return all
}()

func titleOf(code string) string  { return "problem." + code + ".title" }
func adviceOf(code string) string { return "problem." + code + ".advice" }

// English returns the built-in texts, for translators: translations in Config.Messages use the same
// ids. Titles and advice of problems are "problem.CODE.title" and "problem.CODE.advice". A %s in a
// text is filled in, so its translation needs one too.
func English() Messages { return maps.Clone(english) }

// checkMessages reports what is wrong with translations.
func checkMessages(translations map[string]Messages, report func(field, format string, args ...any)) {
	for _, lang := range slices.Sorted(maps.Keys(translations)) {
		if !isLanguageTag(lang) {
			report("Messages", "%q is not a language tag, such as de or pt-BR (RFC 5646)", lang)
		}
		for _, id := range slices.Sorted(maps.Keys(translations[lang])) {
			original, known := english[id]
			switch {
			case !known:
				report("Messages", "%s: there is no text %q (English lists them)", lang, id)
			case strings.Count(original, "%s") != strings.Count(translations[lang][id], "%s"):
				report("Messages", "%s: %s: expected the %%s of %q", lang, id, original)
			}
		}
	}
}

// isLanguageTag reports whether tag has the form of one.
func isLanguageTag(tag string) bool {
	for i, part := range strings.Split(tag, "-") {
		if part == "" || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, c := range part {
			letter, digit := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
			if !letter && (i == 0 || !digit) {
				return false
			}
		}
	}
	return true
}

// languages are the texts in every language that there is, each whole: what a translation lacks is
// English.
type languages struct {
	names map[string]string // by the tag in lower case
	texts map[string]Messages
}

// newLanguages returns English and translations.
func newLanguages(translations map[string]Messages) *languages {
	l := &languages{names: map[string]string{"en": "en"}, texts: map[string]Messages{"en": english}}
	for tag, texts := range translations {
		whole := maps.Clone(english)
		maps.Copy(whole, texts)
		l.names[strings.ToLower(tag)] = tag
		l.texts[tag] = whole
	}
	return l
}

// several reports whether there is anything to choose from.
func (l *languages) several() bool { return len(l.names) > 1 }

// of returns the language that fits r best, and its texts (RFC 4647 §3.4, RFC 9110 §12.5.4).
func (l *languages) of(r *http.Request) (lang string, texts Messages) {
	lang = "en"
	if l.several() {
		lang = l.choose(r.Header.Get("Accept-Language"))
	}
	return lang, l.texts[lang]
}

// maxAcceptLanguage bounds what is read of the header. Browsers send some 50 bytes.
const maxAcceptLanguage = 512

// choose returns the language that header prefers among those that there are, and English if it names
// none of them.
func (l *languages) choose(header string) string {
	best, bestWeight := "en", 0.0
	for _, element := range strings.Split(header[:min(len(header), maxAcceptLanguage)], ",") {
		wanted, parameter, _ := strings.Cut(element, ";")
		weight := 1.0
		if q, found := strings.CutPrefix(strings.TrimSpace(parameter), "q="); found {
			parsed, err := strconv.ParseFloat(q, 64)
			if err != nil || !(parsed >= 0 && parsed <= 1) {
				continue
			}
			weight = parsed
		}
		if name, known := l.lookUp(strings.ToLower(strings.TrimSpace(wanted))); known && weight > bestWeight {
			best, bestWeight = name, weight
		}
	}
	return best
}

// lookUp finds a tag, or the nearest one that is less particular: de for de-CH.
func (l *languages) lookUp(tag string) (string, bool) {
	for tag != "" {
		if name, known := l.names[tag]; known {
			return name, true
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	return "", false
}

// translate puts p's texts into the language of r.
func (l *languages) translate(r *http.Request, p *Problem, key string) {
	_, texts := l.of(r)
	p.Title, p.Advice = texts[titleOf(key)], texts[adviceOf(key)]
	if id, known := linkMessages[p.LinkText]; known {
		p.LinkText = texts[id]
	}
}
