package credential

import (
	"crypto/sha1" // #nosec G505 -- to check old hashes once, before they are replaced
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Bounds of what an imported hash may demand: about a second of one core, and memory like that of our own hashes. A file of users must not
// be able to take a server down by its logins.
const (
	maxBcryptCost  = 14
	maxIterations  = 2_000_000
	maxScryptKiB   = 128 << 10 // of one lane
	maxScryptWork  = 512 << 10 // KiB × lanes
	maxImported    = 512       // bytes of text
	bcryptPassword = 72        // bytes that bcrypt reads of a password
)

// The forms that are accepted, each with its costs in groups. What they let through reaches a library that trusts its input, so they bound
// every length and allow one spelling of numbers.
var (
	formArgon2  = regexp.MustCompile(`^\$(argon2id?)\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9][0-9]?)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$`)
	formBcrypt  = regexp.MustCompile(`^\$2[aby]\$([01][0-9])\$[./A-Za-z0-9]{53}$`)
	formBcryptS = regexp.MustCompile(`^\$bcrypt-sha256\$v=2,t=2b,r=([1-9][0-9]?)\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{31}$`)
	formPBKDF2  = regexp.MustCompile(`^\$pbkdf2(?:-sha1|-sha224|-sha256|-sha384|-sha512)?\$([1-9][0-9]{0,6})\$[./A-Za-z0-9]{6,86}\$[./A-Za-z0-9]{22,86}$`)
	formScrypt  = regexp.MustCompile(`^\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)\$[A-Za-z0-9+/]{6,86}\$[A-Za-z0-9+/]{22,86}$`)
	formSSHA    = regexp.MustCompile(`^\{(SSHA|SSHA256|SSHA512)\}([A-Za-z0-9+/]{30,160}={0,2})$`)
	formLDAP    = regexp.MustCompile(`^\{(PBKDF2(?:-SHA[0-9]{1,3})?)\}([0-9]+\$.*)$`)
)

var errImported = errors.New("not a password hash of a known form within the bounds")

// CheckImported brings a password hash of another system to the form in which it is stored, with PepperID 0. Known are argon2id and
// argon2i, bcrypt, bcrypt-sha256, pbkdf2 and scrypt in PHC or Modular Crypt form, and {SSHA}, {SSHA256}, {SSHA512}. What costs more than
// the bounds is refused. The error never holds the hash.
func CheckImported(text string) (string, error) {
	text = strings.TrimSpace(text)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "{CRYPT}"), "{ARGON2}")
	if m := formLDAP.FindStringSubmatch(text); m != nil {
		text = "$" + strings.ToLower(m[1]) + "$" + m[2]
	}
	if _, err := parsePHC(text); err == nil {
		return text, nil
	}
	if _, err := parseImported(text); err != nil {
		return "", fault.New(fault.Invalid, fault.ReasonInvalid, "the password hash is not acceptable").
			WithFields(fault.Field{Name: "password_hash", Message: "is of no known form, or demands too much work"})
	}
	return text, nil
}

// imported is a hash of another system, ready to be compared.
type imported struct {
	match func(password []byte) bool
	most  int // bytes of a password that count, 0 for all
}

// parseImported reads a stored form that is not our own. It is as strict at every login as at the import: a row may have been tampered with.
func parseImported(text string) (imported, error) {
	if len(text) > maxImported {
		return imported{}, errImported
	}
	switch {
	case formArgon2.MatchString(text):
		n := numbers(formArgon2.FindStringSubmatch(text)[2:])
		if n[2] > maxLanes || (params{memory: uint32(n[0]), passes: uint32(n[1]), lanes: uint8(n[2])}).check() != nil { // #nosec G115 -- bounded by the form
			return imported{}, errImported
		}
		return digest(argon2.Decode, text, 0)
	case formBcrypt.MatchString(text):
		if n := numbers(formBcrypt.FindStringSubmatch(text)[1:]); n[0] < 4 || n[0] > maxBcryptCost {
			return imported{}, errImported
		}
		return digest(bcrypt.Decode, text, bcryptPassword)
	case formBcryptS.MatchString(text):
		if n := numbers(formBcryptS.FindStringSubmatch(text)[1:]); n[0] < 4 || n[0] > maxBcryptCost {
			return imported{}, errImported
		}
		return digest(bcrypt.Decode, text, 0)
	case formPBKDF2.MatchString(text):
		if numbers(formPBKDF2.FindStringSubmatch(text)[1:])[0] > maxIterations {
			return imported{}, errImported
		}
		return digest(pbkdf2.Decode, text, 0)
	case formScrypt.MatchString(text):
		return parseScrypt(text)
	case formSSHA.MatchString(text):
		return parseSSHA(text)
	}
	return imported{}, errImported
}

// parseScrypt bounds memory, 128 × r × 2^ln bytes, before anything is shifted by ln.
func parseScrypt(text string) (imported, error) {
	n := numbers(formScrypt.FindStringSubmatch(text)[1:])
	ln, r, p := n[0], n[1], n[2]
	if ln > 20 || r > 32 || p > maxLanes {
		return imported{}, errImported
	}
	if kib := (r << ln) / 8; kib > maxScryptKiB || kib*p > maxScryptWork {
		return imported{}, errImported
	}
	return digest(scrypt.Decode, text, 0)
}

func digest(decode algorithm.DecodeFunc, text string, most int) (imported, error) {
	d, err := decode(text)
	if err != nil {
		return imported{}, errImported // the library's text quotes the hash
	}
	return imported{match: d.MatchBytes, most: most}, nil
}

// parseSSHA reads RFC 2307's salted hashes: base64 of the sum and the salt behind it.
func parseSSHA(text string) (imported, error) {
	m := formSSHA.FindStringSubmatch(text)
	made := map[string]func() hash.Hash{"SSHA": sha1.New, "SSHA256": sha256.New, "SSHA512": sha512.New}[m[1]]
	raw, err := base64.StdEncoding.DecodeString(m[2])
	size := made().Size()
	if err != nil || !within(len(raw)-size, 1, maxSalt) {
		return imported{}, errImported
	}
	return imported{match: func(password []byte) bool {
		h := made()
		h.Write(password)
		h.Write(raw[size:])
		return subtle.ConstantTimeCompare(h.Sum(nil), raw[:size]) == 1
	}}, nil
}

func numbers(text []string) []int {
	out := make([]int, len(text))
	for i, t := range text {
		out[i], _ = strconv.Atoi(t) // the forms allow digits only
	}
	return out
}

// matches compares a password as our rules write it, and then, where that differs, as it was typed: other systems hashed what they got.
func (h imported) matches(normal, typed []byte) bool {
	if h.match(h.cut(normal)) {
		return true
	}
	return string(normal) != string(typed) && h.match(h.cut(typed))
}

func (h imported) cut(password []byte) []byte {
	if h.most > 0 && len(password) > h.most {
		return password[:h.most]
	}
	return password
}
