package credential

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const oldPassword = "an old Pässword"

// foreign makes a hash of every form with other libraries than the one that checks them.
func foreign(t testing.TB, password string) map[string]string {
	t.Helper()
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	raw, ab64 := base64.RawStdEncoding.EncodeToString, func(b []byte) string {
		return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(b), "+", ".")
	}
	salt, pw := []byte("saltsaltsaltsalt"), []byte(password)
	cost := must(bcrypt.GenerateFromPassword(pw[:min(72, len(pw))], 4))
	s1, s256, s512 := sha1.Sum(append(pw[:len(pw):len(pw)], salt...)), sha256.Sum256(append(pw[:len(pw):len(pw)], salt...)), sha512.Sum512(append(pw[:len(pw):len(pw)], salt...))
	kdf := must(pbkdf2.Key(sha256.New, password, salt, 1000, 32))
	return map[string]string{
		"argon2id":    fmt.Sprintf("$argon2id$v=19$m=256,t=2,p=2$%s$%s", raw(salt), raw(argon2.IDKey(pw, salt, 2, 256, 2, 32))),
		"argon2i":     fmt.Sprintf("$argon2i$v=19$m=256,t=3,p=1$%s$%s", raw(salt), raw(argon2.Key(pw, salt, 3, 256, 1, 32))),
		"bcrypt 2a":   string(cost),
		"bcrypt 2y":   strings.Replace(string(cost), "$2a$", "$2y$", 1),
		"pbkdf2-256":  fmt.Sprintf("$pbkdf2-sha256$1000$%s$%s", ab64(salt), ab64(kdf)),
		"pbkdf2-ldap": fmt.Sprintf("{PBKDF2-SHA256}1000$%s$%s", ab64(salt), ab64(kdf)),
		"pbkdf2-512":  fmt.Sprintf("$pbkdf2-sha512$1000$%s$%s", ab64(salt), ab64(must(pbkdf2.Key(sha512.New, password, salt, 1000, 64)))),
		"pbkdf2-1":    fmt.Sprintf("$pbkdf2$1000$%s$%s", ab64(salt), ab64(must(pbkdf2.Key(sha1.New, password, salt, 1000, 20)))),
		"scrypt":      fmt.Sprintf("$scrypt$ln=8,r=8,p=1$%s$%s", raw(salt), raw(must(scrypt.Key(pw, salt, 1<<8, 8, 1, 32)))),
		"ssha":        "{SSHA}" + base64.StdEncoding.EncodeToString(append(s1[:], salt...)),
		"ssha256":     "{SSHA256}" + base64.StdEncoding.EncodeToString(append(s256[:], salt...)),
		"ssha512":     "{SSHA512}" + base64.StdEncoding.EncodeToString(append(s512[:], salt...)),
	}
}

// TestImportedHashes: the right password logs in once under the old hash and asks for a new one; a wrong one does not.
func TestImportedHashes(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	ctx := context.Background()
	for name, text := range foreign(t, oldPassword) {
		stored, err := CheckImported(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ok, rehash, err := p.Verify(ctx, secret.NewText(oldPassword), Password{PHC: stored}); !ok || !rehash || err != nil {
			t.Errorf("%s: right password: %t, rehash %t, %v", name, ok, rehash, err)
		}
		for _, wrong := range []string{"", oldPassword + "x", "an old Password"} {
			if ok, _, err := p.Verify(ctx, secret.NewText(wrong), Password{PHC: stored}); ok || err != nil {
				t.Errorf("%s: %q: %t, %v", name, wrong, ok, err)
			}
		}
		if ok, _, err := p.Verify(ctx, secret.NewText(oldPassword), Password{PHC: stored, PepperID: 1}); ok || name != "argon2id" && err == nil {
			t.Errorf("%s with a pepper: %t, %v", name, ok, err)
		}
	}
}

// TestPublishedVectors: texts that other systems have printed.
func TestPublishedVectors(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	for text, password := range map[string]string{
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                         "U*U",
		"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui":                         "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
		"$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2":  "password",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4": "password",
	} {
		stored, err := CheckImported(text)
		if err != nil {
			t.Errorf("%.24s…: %v", text, err)
			continue
		}
		if ok, _, err := p.Verify(context.Background(), secret.NewText(password), Password{PHC: stored}); !ok {
			t.Errorf("%.24s…: %v", text, err)
		}
	}
}

// TestImportedPasswordsAsTyped: other systems hashed what they got, not our normal form.
func TestImportedPasswordsAsTyped(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	stored := foreign(t, "Zoe\u0308")["ssha256"]
	for typed, want := range map[string]bool{"Zoe\u0308": true, "Zo\u00eb": false} {
		if ok, _, _ := p.Verify(context.Background(), secret.NewText(typed), Password{PHC: stored}); ok != want {
			t.Errorf("%q: %t", typed, ok)
		}
	}
}

func TestGreedyHashesAreRefused(t *testing.T) {
	salt, sum := strings.Repeat("a", 22), strings.Repeat("b", 43)
	for _, text := range []string{
		"", "hunter2", "$1$salt$" + salt, "{SHA}" + salt, "{SSHA}" + salt, "$2x$05$" + strings.Repeat("a", 53), "$y$j9T$" + salt + "$" + sum,
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=65536,t=99,p=1$" + salt + "$" + sum,
		"$argon2i$v=19$m=64,t=1,p=99$" + salt + "$" + sum, "$argon2d$v=19$m=64,t=1,p=1$" + salt + "$" + sum,
		"$2b$15$" + strings.Repeat("a", 53), "$2b$31$" + strings.Repeat("a", 53), "$2b$03$" + strings.Repeat("a", 53),
		"$pbkdf2-sha256$9999999$" + salt + "$" + sum, "$pbkdf2-sha256$-1$" + salt + "$" + sum, "$pbkdf2-md5$1000$" + salt + "$" + sum,
		"$scrypt$ln=21,r=8,p=1$" + salt + "$" + sum, "$scrypt$ln=18,r=8,p=1$" + salt + "$" + sum, "$scrypt$ln=17,r=8,p=9$" + salt + "$" + sum,
		"$scrypt$ln=-1,r=8,p=1$" + salt + "$" + sum, "$scrypt$ln=64,r=99,p=1$" + salt + "$" + sum, "$scrypt$ln=8,r=8,p=1,x=1$" + salt + "$" + sum,
		"$pbkdf2-sha256$1000$" + salt + "$" + strings.Repeat("b", 5000),
	} {
		_, err := CheckImported(text)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("%.40q was accepted: %v", text, err)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[1:8]) {
			t.Errorf("the error quotes the hash: %v", err)
		}
	}
}

// FuzzImported: whatever is accepted can be verified, within bounds of time and without a panic.
func FuzzImported(f *testing.F) {
	for _, text := range foreign(f, oldPassword) {
		f.Add(text)
	}
	f.Add("$scrypt$ln=17,r=8,p=4$aaaaaaaa$" + strings.Repeat("b", 43))
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	f.Fuzz(func(t *testing.T, text string) {
		stored, err := CheckImported(text)
		if err != nil {
			return
		}
		began := time.Now()
		if _, _, err := p.Verify(context.Background(), secret.NewText("x"), Password{PHC: stored}); err != nil {
			t.Fatalf("accepted and not readable: %v", err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Fatalf("one login takes %v", took)
		}
	})
}
