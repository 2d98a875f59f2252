// Package peers owns the tests that run programs and libraries of others, as published, against the built binary, as far as Go or a whole
// process is needed for it: SuperTokens' Go library, go-oidc and x/oauth2, Authlib (peers/python) and Apache's mod_auth_openidc. It is a module
// apart, so that none of these libraries is among the server's dependencies, and it holds no code that anybody else uses.
package peers
