package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
)

// clientSecret is of the confidential clients of the bench.
const clientSecret = "a secret of the bench, nowhere else"

const formHeader = "Content-Type: application/x-www-form-urlencoded\r\n"

// form posts as the caller's client, which shows its secret by Basic.
func (c *caller) form(path string, values url.Values) ([]byte, error) {
	basic := base64.StdEncoding.EncodeToString([]byte(c.client + ":" + url.QueryEscape(clientSecret)))
	return c.call("POST", path, "Authorization: Basic "+basic+"\r\n"+formHeader, values.Encode())
}

func clientCredentials(c *caller) error {
	_, err := c.form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}})
	return err
}

// introspection asks about the access token of a person's session: one verification, one read.
func introspection(c *caller) error {
	b, err := c.form("/oauth2/introspect", url.Values{"token": {c.access}})
	if err != nil {
		return err
	}
	var r struct{ Active bool }
	if err := json.Unmarshal(b, &r); err != nil || !r.Active {
		return fmt.Errorf("not active: %v", err)
	}
	return nil
}

// scoped gets a token with scope openid, before anything is measured.
func scoped(_ *pair, c *caller) error {
	b, err := c.form("/oauth2/token", url.Values{
		"grant_type": {"password"}, "username": {email}, "password": {password}, "scope": {"openid email"},
	})
	if err != nil {
		return err
	}
	var r struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &r); err != nil || r.Access == "" {
		return fmt.Errorf("no token in the answer: %v", err)
	}
	c.scoped = r.Access
	return nil
}

func userInfo(c *caller) error {
	_, err := c.call("GET", "/oauth2/userinfo", "Authorization: Bearer "+c.scoped+"\r\n", "")
	return err
}

func issuerJWKS(c *caller) error {
	_, err := c.call("GET", "/oauth2/jwks", "", "")
	return err
}
