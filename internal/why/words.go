package why

import (
	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

var said = map[Cause]string{
	Live:            "the session is live: whatever was refused, it was not for its sake",
	LoggedOut:       "the person logged out of this session",
	LoggedOutAll:    "the person logged out everywhere, from another session",
	EndedByOwner:    "the person ended this session from the list of their sessions",
	Reused:          "an old refresh token came back after its successor was in use: one of the two holders is a thief, so the session was ended",
	Idle:            "the session was unused for longer than lives.refresh_idle_s allows: it ran out",
	TooOld:          "the session reached the longest life that lives.refresh_max_s allows, used or not",
	UserDisabled:    "the account was disabled",
	UserDeleted:     "the account was deleted",
	PasswordReset:   "the password was reset by mail, which ends every session",
	PasswordChanged: "an application's backend set a new password, which ends every session",
	AddressProved:   "the account had signed up with a mailbox that somebody else proved to be theirs: it was removed and its sessions ended",
	EpochRaised:     "every token of the account was declared dead (its epoch was raised)",
	ClientRemoved:   "the application was removed from the tenant",
	NotRegistered:   "the account is not registered with the application, or not any more",
	ByOperator:      "an operator ended the session",
	WrongClient:     "the token was presented for another application, or without that application's authentication; the session itself is untouched",
	BindingMismatch: "the session is bound to a key (DPoP) and the request did not prove it; the session itself is untouched",
	Superseded:      "a refresh token older than the newest one was presented, late but within the grace; whoever holds the newest one goes on",
	MadeUp:          "the refresh token is none of this server's form: made up, cut off, or of another product",
	Foreign:         "the refresh token has this server's form but was not issued by it: from another server, another tenant, or tampered with",
	Purged:          "the session ended long ago and its row has been deleted; what the trail still knows follows",
	StoreBehind:     "the token is genuine and newer than the store: the store was restored or failed over and forgot what it had answered",
	Limited:         "a rate limit refused the request; sessions are untouched",
	LoginRefused:    "the login was refused",
	Other:           "see the chain",
}

// words is a cause in plain words, with who did it where that is known.
func words(c Cause, e *audit.Event) string {
	text := said[c]
	if e == nil {
		return text
	}
	if e.Actor.Kind == "operator" {
		text += " by operator " + orSome(e.Actor.ID, "(unknown)")
	}
	if (c == LoginRefused || c == Other) && e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// step is an event as a link of the chain.
func step(e *audit.Event) Step {
	text := e.Type
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	switch e.Actor.Kind {
	case "", "anonymous":
	default:
		text += " by " + e.Actor.Kind
		if e.Actor.ID != "" && e.Actor.ID != e.Subject {
			text += " " + e.Actor.ID
		}
	}
	for _, name := range []string{"all", "ended_by", "token", "presented_generation", "head_generation"} {
		if v := e.Detail[name]; v != "" {
			text += ", " + name + " " + v
		}
	}
	return Step{At: e.At, Text: text, Event: e.ID, Trace: e.Trace}
}
