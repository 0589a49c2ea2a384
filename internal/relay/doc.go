// Package relay judges what may pass between a script of the application's pages and an API behind
// the application's own origin: which requests are a script's at all ([CheckSender]), where on the
// API a path leads ([Rest]), which headers go there ([RequestHeader]) and come back
// ([AnswerHeader]), and where a redirect of the API's leads ([Location]).
//
// It decides and changes headers; it sends nothing, and knows nothing of sessions or tokens. Start
// reading at [CheckSender], then in the order above, which is that of a request.
package relay
