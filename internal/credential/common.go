package credential

import (
	"strings"
	"sync"
)

// blocklist is the words that people take most (also spelt with symbols), what they put behind them to please a rule, and the commonest walks
// over the keyboard: kept apart instead of multiplied out, which would be twenty thousand entries. It stops the guesses that an online
// attacker tries first; limits stop the others.
var blocklist = sync.OnceValue(func() (list struct{ stems, whole map[string]bool }) {
	list.stems, list.whole = map[string]bool{}, map[string]bool{}
	for _, walk := range strings.Fields(walks) {
		list.whole[walk] = true
	}
	for _, word := range strings.Fields(words) {
		list.stems[word], list.stems[leet.Replace(word)] = true, true
	}
	return list
})

// common reports whether a lower-case password is in the blocklist, or a word of it with a common tail.
func common(password string) bool {
	list := blocklist()
	if list.whole[password] || list.stems[password] {
		return true
	}
	for tail := range strings.FieldsSeq(tails) {
		if stem, ok := strings.CutSuffix(password, tail); ok && list.stems[stem] {
			return true
		}
	}
	return false
}

var leet = strings.NewReplacer("a", "@", "o", "0", "s", "$", "e", "3", "i", "1")

const words = `
password passwort passw0rd p@ssword p@ssw0rd pass passwd passphrase contraseña motdepasse senha parola wachtwoord
welcome willkommen bienvenue letmein letmein! changeme change default secret geheim access admin administrator root user guest login logon
master monkey dragon shadow sunshine princess football baseball basketball soccer hockey superman batman spiderman starwars pokemon
iloveyou ichliebedich tequiero loveme lovely sweetheart angel flower butterfly summer winter spring autumn sommer hello hallo bonjour
freedom whatever trustno1 ninja mustang ferrari porsche jordan michael michelle charlie thomas daniel jennifer jessica ashley
computer internet server database test testing tester demo sample temp temporary qwerty qwertz azerty asdfgh zxcvbn liverpool arsenal
chelsea barcelona juventus cookie cheese banana orange coffee chocolate purple killer hunter ranger tigger buster maggie pepper ginger
matrix phoenix diamond golden silver london paris berlin america germany january february march april monday friday`

const tails = `
! !! !!! . ? 1 1! 2 3 7 9 01 11 12 12! 21 22 23 69 77 88 99 00 007 111 123 123! 123. 123!! 1234 1234! 12345 12345! 123456 123456! 1234567
12345678 123456789 1234567890 321 666 777 888 999 1111 2020 2021 2022 2023 2024 2025 2026 2020! 2021! 2022! 2023! 2024! 2025! 2026!
@1 @12 @123 @1234 @12345 @2023 @2024 @2025 @2026 #1 #123 _1 _123 -1 -123 .1 .123 abc abc123 xyz`

const walks = `
01234567 012345678 0123456789 12345678 123456789 1234567890 12345678910 123456789a 123456789q 87654321 987654321 9876543210 0987654321
11223344 1122334455 112233445566 12341234 123412345 12344321 1234554321 123123123 123321123 147258369 159753159 159357159 741852963
789456123 963852741 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 q1w2e3r4 q1w2e3r4t5 qazwsxedc qazwsxedcrfv zaq12wsx
zaq1zaq1 zaq1xsw2 qwertyuiop qwertyui qwertzuiop qwertzui azertyuiop qwerasdf qwerasdfzxcv asdfghjkl asdfghjk asdfasdf asdf1234 zxcvbnm1
zxcvbnm123 zxcvbnm, poiuytrewq lkjhgfdsa mnbvcxz1 qwer1234 qwer12345 qwe123qwe qweasdzxc qweasd123 1234qwer 12345qwert 123456qwerty
123qweasd 123qweasdzxc 1a2b3c4d 1a2b3c4d5e a1b2c3d4 a1b2c3d4e5 a1s2d3f4 a123456789 a12345678 aa123456 aa12345678 abc12345 abc123456
abc1234567 abcd1234 abcd12345 abcde12345 abcdefgh abcdefghi abcdefghij abcdefg1 abcdefg123 1234abcd 12345abc 123456abc 123456aa 12345678a
aaaa1111 1111aaaa 11112222 22221111 10203040 1020304050 13579246 135792468 24681357 2468013579 31415926 3141592653 27182818 19841984
passpass wordpass drowssap nopassword mypassword yourpassword thepassword password1password ihavenopassword lovelove loveyou1 iloveyou!
iloveu123 fuckyou1 fuckyou! asshole1 whatever1 jesuschrist blessed1 godisgood jesus123 godislove mnbvcxzasd google123 facebook1 linkedin1
samsung1 samsung123 nintendo playstation minecraft minecraft1 fortnite1 roblox123 counterstrike warcraft1 letmeinnow opensesame accessdenied
letmein123 administrator1 rootroot rootpass toortoor adminadmin admin1234567 useruser testtest test1234567 guestguest qwerty1234567 superuser
superuser1 changeit changeme! changemenow notsecure unsecure insecure1 topsecret topsecret1 supersecret supersecret1 mysecret secretsecret`
