package hosted

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// deviceForm asks for the code that a device shows.
type deviceForm struct {
	view.Page
	Code     string
	Problems view.Problems
}

// deviceAsk shows who asks, before anything is allowed (RFC 8628 section 5.4).
type deviceAsk struct {
	view.Page
	App, Code, User, Email string
	Device, Place, When    string
	Scopes                 []scope
}

// toDevice is the short address that devices show (RFC 8628 section 3.2, verification_uri).
func (h *Pages) toDevice(x *web.Exchange) error {
	v := visit{code: x.R.URL.Query().Get("user_code")}
	return x.Redirect(withQuery(x.PathPrefix()+"/ui/device", v.query()))
}

// showDevice asks for the code. One that came in the address is only filled in: the person is to compare it with what their device shows.
func (h *Pages) showDevice(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	v.to = "device"
	if v.live == nil {
		return x.Redirect(withQuery(x.PathPrefix()+"/ui/login", v.query()))
	}
	return x.HTML(http.StatusOK, devicePage(deviceForm{Page: v.page(x, "device.title"), Code: v.code}))
}

// device looks the code up and shows who asks. The page is the answer to a post, so that no link leads to it: whoever sends a link with a
// code can at most have the code filled in (device code phishing, row 24 of the threat table).
func (h *Pages) device(x *web.Exchange) error {
	v, form, err := h.deviceForm(x)
	if err != nil || v.live == nil {
		return err
	}
	f := deviceForm{Page: v.page(x, "device.title"), Code: v.code}
	if f.Problems = lacking(f.Page, form, "user_code"); f.Problems != nil {
		return x.HTML(http.StatusUnprocessableEntity, devicePage(f))
	}
	d, c, err := h.cfg.Devices.DeviceByCode(x.R.Context(), x.Call, x.Tenant, v.code, v.live.User.ID)
	if err != nil {
		return h.deviceAgain(x, f, err)
	}
	ask := deviceAsk{
		Page: v.page(x, "device.ask.title"), App: clientName(c), Code: v.code, User: v.live.User.ID, Email: v.live.User.PrimaryEmail().Value, Place: d.Place,
	}
	ask.Device, ask.When = delivery.Device(ask.Lang, d.Agent), ask.Lang.Instant(d.CreatedAt)
	ask.Scopes = scopesOf(ask.Page, x.Tenant, d.Scope)
	return x.HTML(http.StatusOK, deviceAskPage(ask))
}

// deviceForm reads a post of either device page. Who is not signed on any more is sent to the login page, and v.live is nil.
func (h *Pages) deviceForm(x *web.Exchange) (visit, url.Values, error) {
	v, _, err := h.enter(x)
	if err != nil {
		return v, nil, err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return v, nil, err
	}
	v.to, v.code = "device", form.Get("user_code")
	if v.live == nil {
		return v, form, x.Redirect(withQuery(x.PathPrefix()+"/ui/login", v.query()))
	}
	return v, form, nil
}

func (h *Pages) deviceAgain(x *web.Exchange, f deviceForm, err error) error {
	e := fault.From(err)
	if e.Reason == fault.ReasonNotRegistered {
		f.Problems = view.Problems{{Text: f.Say("error.not_registered")}}
		return x.HTML(refused(x, err), devicePage(f))
	}
	switch e.Kind {
	case fault.NotFound, fault.Gone, fault.Invalid, fault.Conflict:
		f.Problems = view.Problems{{Field: "user_code", Text: f.Say("device.unknown_code")}}
		return x.HTML(http.StatusUnprocessableEntity, devicePage(f))
	case fault.Limited:
		f.Problems = view.Problems{{Field: "user_code", Text: view.TooOften(f.Lang, e)}}
		return x.HTML(refused(x, err), devicePage(f))
	}
	return err
}

// answerDevice notes what the person said.
func (h *Pages) answerDevice(x *web.Exchange) error {
	v, form, err := h.deviceForm(x)
	if err != nil || v.live == nil {
		return err
	}
	if !v.shownTo(form) {
		return v.onward(x)
	}
	done := "/ui/done/device-refused"
	d, _, err := h.cfg.Devices.DeviceByCode(x.R.Context(), x.Call, x.Tenant, v.code, v.live.User.ID)
	switch {
	case err != nil:
	case form.Get("answer") == "allow":
		done = "/ui/done/device"
		err = h.cfg.Devices.AllowDevice(x.R.Context(), x.Call, x.Tenant, d, v.live, d.Scope)
	default:
		err = h.cfg.Devices.RefuseDevice(x.R.Context(), x.Call, x.Tenant, d, v.live)
	}
	if err != nil {
		return h.deviceAgain(x, deviceForm{Page: v.page(x, "device.title"), Code: v.code}, err)
	}
	return x.Redirect(x.PathPrefix() + done)
}
