package login

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// A known device is a browser that logged in before as this very account. It counts against limits of its own, so that ten thousand
// guesses of strangers do not lock the owner out (and so there is no hard lock to abuse).
//
// The cookie is a statement `gd1.<key id>.<tenant>.<user>.<device>.<MAC>`. The device id itself carries a tag of the account it belongs to:
// limits are spent before the account is looked up, and a device known for one account must not buy extra guesses at another.
const (
	deviceVersion = "gd1"
	deviceContext = "known device"
	nonceBytes    = 16
	tagBytes      = 8
)

// DeviceID gives the id of the known device that cookie proves for tenant t, "" when it proves nothing. Whether the device is known to the
// account that is tried is decided by the login.
func (s *Service) DeviceID(t *tenant.Tenant, cookie secret.Text) string {
	text := cookie.Reveal()
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 || len(text) > 512 {
		return ""
	}
	part := strings.Split(text[:cut], ".")
	if len(part) != 5 || part[0] != deviceVersion || part[2] != t.ID {
		return ""
	}
	key, err := strconv.ParseUint(part[1], 10, 32)
	mac, errMAC := base64.RawURLEncoding.DecodeString(text[cut+1:])
	if err != nil || errMAC != nil || !s.cfg.Ring.CheckMAC(uint32(key), deviceContext, []byte(text[:cut]), mac) {
		return ""
	}
	return part[4]
}

// deviceCookie states that device logged in as the user.
func (s *Service) deviceCookie(t *tenant.Tenant, userID, device string) (secret.Text, error) {
	key := s.cfg.Ring.ActiveMAC()
	text := strings.Join([]string{deviceVersion, strconv.FormatUint(uint64(key), 10), t.ID, userID, device}, ".")
	mac, err := s.cfg.Ring.MACWith(key, deviceContext, []byte(text))
	if err != nil {
		return secret.Text{}, err
	}
	return secret.NewText(text + "." + base64.RawURLEncoding.EncodeToString(mac)), nil
}

// deviceFor keeps the caller's device id when it is known to the account, else draws a new one.
func deviceFor(call *audit.Call, t *tenant.Tenant, email string) string {
	if knownDevice(call.Device, t, email) {
		return call.Device
	}
	nonce := secret.Bytes(nonceBytes)
	return hex.EncodeToString(append(nonce, deviceTag(nonce, t, email)...))
}

// knownDevice reports whether a device id that DeviceID gave belongs to the account. A device forgets its account when the address changes:
// then it is unknown until the next login.
func knownDevice(device string, t *tenant.Tenant, email string) bool {
	raw, err := hex.DecodeString(device)
	if err != nil || len(raw) != nonceBytes+tagBytes {
		return false
	}
	return bytes.Equal(raw[nonceBytes:], deviceTag(raw[:nonceBytes], t, email))
}

func deviceTag(nonce []byte, t *tenant.Tenant, email string) []byte {
	return secret.Hash(deviceContext + "\x00" + t.ID + "\x00" + email + "\x00" + string(nonce))[:tagBytes]
}
