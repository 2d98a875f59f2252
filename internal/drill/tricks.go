package drill

import (
	"net/url"
	"slices"
	"strings"
)

// RedirectTricks gives well over 200 redirect URIs that are not the registered one and try to pass for it, or to make what compares them
// and what follows them disagree. registered must have scheme, host and path.
func RedirectTricks(registered string) []string {
	u, err := url.Parse(registered)
	if err != nil {
		return nil
	}
	var out []string
	for _, make := range []func(scheme, host, path string) []string{
		otherSchemes, userParts, otherHosts, lookalikes, paths, queries, blanks, ports, addresses,
	} {
		out = append(out, make(u.Scheme, u.Host, u.Path)...)
	}
	for _, t := range slices.Clone(out) { // once more, with what a decoder between would make of it
		out = append(out, strings.Replace(t, ".example", "%2eexample", 1), strings.Replace(t, ":", "%3A", 1))
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(t string) bool { return t == registered })
}

const evil = "attacker.example"

func otherSchemes(scheme, host, path string) []string {
	out := []string{"//" + evil + path, "///" + evil, "////" + evil, `/\` + evil, `\\` + evil, "/" + path, path, ".", "", "?", "#", host + path}
	for _, s := range []string{"javascript:alert(1)//", "data:text/html,x//", "vbscript:x//", "file://", "ftp://", "ws://", "blob:", "about:", "view-source:", "HTTP://", "HTTPS://", "hTTp://", "xhttp://", "http+x://", "com.example.app:"} {
		out = append(out, s+host+path, s+evil+path)
	}
	for _, sep := range []string{":", ":/", ":///", ":////", `:\\`, `:/\`, `:\/`, ":/.//"} {
		out = append(out, scheme+sep+evil+path, scheme+sep+host+path)
	}
	return out
}

func userParts(scheme, host, path string) []string {
	var out []string
	for _, at := range []string{"@", ":x@", "%40", ":443@", "#@", "?@", "/@", `\@`, ":@", ";@", "&@", "%00@", "%23@", "%2f@", "%5c@"} {
		out = append(out, scheme+"://"+host+at+evil+path)
	}
	return append(out, scheme+"://"+evil+"@"+host+path, scheme+"://x:y@"+host+path, scheme+"://@"+host+path, scheme+"://"+evil+"%40"+host+path,
		scheme+"://"+evil+"#@"+host+path, scheme+"://"+evil+"?@"+host+path, scheme+"://"+evil+`\@`+host+path)
}

func otherHosts(scheme, host, path string) []string {
	var out []string
	for _, h := range []string{
		evil, host + "." + evil, host + evil, evil + "." + host, "x" + host, "x." + host, host + ".", "." + host, host + "..", evil + "/" + host, evil + "%2f" + host,
		host + "%00." + evil, host + "%0a." + evil, host + "%09." + evil, host + "%20." + evil, host + "%2f." + evil, host + "%23." + evil, host + "%3f." + evil,
		host + "%5c." + evil, host + "_." + evil, host + "-" + evil, host + "," + evil, host + ";" + evil, host + "&." + evil, host + "!." + evil, host + "$." + evil,
		host + "'." + evil, host + "(." + evil, host + "*." + evil, host + "+." + evil, host + "=." + evil, host + "~." + evil, host + "`." + evil, host + "{." + evil,
		host + "|." + evil, "*." + host, "*", "%2a." + host, strings.ToUpper(host), strings.ToUpper(host[:1]) + host[1:], "",
	} {
		out = append(out, scheme+"://"+h+path)
	}
	return out
}

func lookalikes(scheme, host, path string) []string {
	var out []string
	for _, pair := range [][2]string{
		{"a", "а"}, {"o", "о"}, {"e", "е"}, {"l", "ⅼ"}, {"p", "р"}, {"c", "с"}, {"1", "１"}, {"0", "０"}, {".", "。"}, {".", "．"}, {".", "｡"}, {".", "%E3%80%82"}, {"o", "ⓞ"}, {"s", "ſ"},
		{"h", "ｈ"}, {"l", "%6c"}, {"a", "%61"}, {".", "%2e"}, {"0", "%30"},
	} {
		if h := strings.Replace(host, pair[0], pair[1], 1); h != host {
			out = append(out, scheme+"://"+h+path)
		}
	}
	for _, c := range []string{"\u200b", "\u200d", "\u00ad", "\ufeff", "\u202e", "\u2060", "\u0301"} {
		out = append(out, scheme+"://"+host+c+path, scheme+"://"+c+host+path, registeredWith(scheme, host, path, c))
	}
	return append(out, scheme+"://xn--"+host+path)
}

func registeredWith(scheme, host, path, c string) string {
	return scheme + "://" + host + path[:1] + c + path[1:]
}

func paths(scheme, host, path string) []string {
	var out []string
	for _, p := range []string{
		"", "/", path + "/", path + "//", "/" + path, path + "/.", path + "/..", path + "/../", path + "/../" + evil, path + "/../../x", "/x/.." + path, "/." + path, "/./" + path[1:],
		path + "/%2e%2e/x", path + "/%2e%2e%2fx", path + "/..%2fx", path + "/..%5cx", path + `/..\x`, path + "%2f..%2fx", path + "/..;/x", path + ";x", path + ";/x", path + "%00", path + "%0d%0aLocation:x",
		path + "%20", path + "%09", path + ".", path + "..", path + "x", path[:len(path)-1], strings.ToUpper(path), "/" + strings.ToUpper(path[1:2]) + path[2:], path + "%2f", path + "%5c", path + `\`, path + "%252f",
		"/%63" + path[2:], path + "~", path + ",x", path + ":x", path + "@" + evil, path + "/@" + evil, path + "//" + evil, path + "/https://" + evil, "//" + evil + path, `/\` + evil, "/%5c" + evil, "/%2f" + evil,
		"/*", "/**", path + "*", "/redirect?to=https://" + evil, "/login/../.." + path,
	} {
		out = append(out, scheme+"://"+host+p)
	}
	return out
}

func queries(scheme, host, path string) []string {
	var out []string
	for _, q := range []string{
		"?", "?x", "?x=1", "?code=x", "?state=x", "?next=https://" + evil, "?redirect_uri=https://" + evil, "&x=1", "%3fx=1", "?%0d%0aSet-Cookie:x=y", "?x#y", "#", "#x", "#" + evil, "%23x", "#?code=x", "?#", "?//" + evil,
		"?@" + evil, "?response_mode=fragment",
	} {
		out = append(out, scheme+"://"+host+path+q)
	}
	return out
}

func blanks(scheme, host, path string) []string {
	whole := scheme + "://" + host + path
	var out []string
	for _, b := range []string{" ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\u00a0", "\u2028", "\u3000"} {
		out = append(out, b+whole, whole+b, scheme+b+"://"+host+path, scheme+":"+b+"//"+host+path, scheme+"://"+b+host+path, scheme+"://"+host+b+path,
			whole+b+"https://"+evil, strings.Replace(whole, "t", "t"+b, 1))
	}
	return out
}

func ports(scheme, host, path string) []string {
	var out []string
	for _, p := range []string{":", ":0", ":00", ":080", ":00443", ":65536", ":99999", ":123456", ":-1", ":+80", ":8 0", ":80x", ":0x50", ":８０", ":80:80", ":80@" + evil, ":80." + evil, ":1e3", ":%38%30", ":80%20", ":*"} {
		out = append(out, scheme+"://"+host+p+path)
	}
	return out
}

// addresses are other ways to write a loopback address, and neighbours of it.
func addresses(scheme, _, path string) []string {
	var out []string
	for _, a := range []string{
		"127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "127.0.0.2", "127.0.0.01", "0.0.0.0", "0", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
		"[::1%25lo]", "[::1%lo]", "[::1].", "[::1", "::1", "127.0.0.1:80@" + evil, "127.0.0.1." + evil, "localhost." + evil, "localhost.", "LOCALHOST", "localhost.localdomain", "localhost%2e", "app.localhost", "localhost@" + evil,
		"①②⑦.0.0.1", "127。0。0。1", "169.254.169.254", "10.0.0.1", "192.168.0.1",
	} {
		out = append(out, scheme+"://"+a+path, scheme+"://"+a+":8080"+path)
	}
	return out
}
