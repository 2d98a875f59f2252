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
