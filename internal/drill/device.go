package drill

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// deviceGrant is the grant type of RFC 8628 section 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// AllowDevice types a device's code in a fresh browser, sees who asks, and lets the device in.
func (p *Person) AllowDevice(ctx context.Context, userCode string) error {
	v := p.Target.Visitor()
	if _, r, err := p.walk(ctx, v, "/ui/device", func(*url.URL) bool { return false }); err != nil || r.Status != http.StatusOK {
		return fmt.Errorf("the page for device codes: %v %w", r, err)
	}
	r, err := v.Post(ctx, "/ui/device", url.Values{"user_code": {userCode}})
	if err != nil || r.Status != http.StatusOK {
		return fmt.Errorf("a device's code: %v %w", r, err)
	}
	_, rest, _ := strings.Cut(string(r.Body), `name="user" value="`)
	shown, _, _ := strings.Cut(rest, `"`)
	r, err = v.Post(ctx, "/ui/device/answer", url.Values{"user_code": {userCode}, "user": {shown}, "answer": {"allow"}})
	if err != nil || r.Status != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/ui/done/device") {
		return fmt.Errorf("letting the device in: %v %w", r, err)
	}
	return nil
}

// deviceElsewhere: a device asked with a proof of its key. Whoever got hold of its code (a log, a proxy, the device's screen) waits until the
// person has let the device in, and redeems the code from a machine of his own, before the device does.
func deviceElsewhere(ctx context.Context, t *Target) (Verdict, error) {
	device, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	thief, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	p, err := t.SignUp(ctx, "device")
	if err != nil {
		return Verdict{}, err
	}
	asked, err := device.post(ctx, t, "/oauth2/device_authorize", url.Values{"client_id": {t.ClientID}, "scope": {"openid"}})
	if err != nil || asked.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("asking: %v %v", asked, err)
	}
	if err := p.AllowDevice(ctx, asked.Text("user_code")); err != nil {
		return Verdict{}, err
	}
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {asked.Text("device_code")}, "client_id": {t.ClientID}}
	for name, try := range map[string]func() (*Reply, error){
		"without a key":    func() (*Reply, error) { return t.Visitor().Post(ctx, "/oauth2/token", form) },
		"from another key": func() (*Reply, error) { return thief.post(ctx, t, "/oauth2/token", form) },
	} {
		r, err := try()
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("a device code was redeemed %s", name)
		}
		if r.Text("error") != "invalid_grant" {
			return Verdict{}, fmt.Errorf("refused with %s, %s", r, r.Text("error"))
		}
	}
	if r, err := device.post(ctx, t, "/oauth2/token", form); err != nil || r.Status != http.StatusOK || r.Text("token_type") != "DPoP" {
		return Verdict{}, fmt.Errorf("the device itself: %v %v", r, err)
	}
	return refused("a code that was asked for with a key is redeemed by it alone, and the tries did not spend it")
}
