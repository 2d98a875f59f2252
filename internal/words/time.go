package words

import (
	"strconv"
	"time"
)

var months = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	German:  {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
}

// Instant writes an instant for people: day, month in words, time of day, always in UTC and saying so, because neither a mail nor a
// page without script knows where its reader lives.
func (l Lang) Instant(at time.Time) string {
	names, ok := months[l]
	if !ok {
		names = months[Default]
	}
	at = at.UTC()
	day := strconv.Itoa(at.Day())
	if l == German {
		day += "."
	}
	return day + " " + names[at.Month()-1] + " " + strconv.Itoa(at.Year()) + ", " + at.Format("15:04") + " UTC"
}

// Ago says how long ago something was, in the largest unit that fits; what is older than a month is said by its instant.
func (l Lang) Ago(at, now time.Time) string {
	switch d := now.Sub(at); {
	case d < time.Minute: // and what another node's clock puts a moment ahead
		return l.Say("ago.now")
	case d < time.Hour:
		return l.count("ago.minute", int(d/time.Minute))
	case d < 24*time.Hour:
		return l.count("ago.hour", int(d/time.Hour))
	case d < 30*24*time.Hour:
		return l.count("ago.day", int(d/(24*time.Hour)))
	}
	return l.Instant(at)
}

// In says how long to wait, rounded up, so that who comes back then does not come too early.
func (l Lang) In(d time.Duration) string {
	if d <= time.Hour {
		return l.count("in.minute", max(1, int((d+time.Minute-1)/time.Minute)))
	}
	return l.count("in.hour", int((d+time.Hour-1)/time.Hour))
}

// count picks the sentence for one or for several; every language here has these two forms.
func (l Lang) count(key string, n int) string {
	if n == 1 {
		return l.Say(key)
	}
	return l.Say(key+"s", "n", strconv.Itoa(n))
}
