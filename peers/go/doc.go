// Package peers owns the tests that run Go libraries of others, as published, against the built binary: today SuperTokens' own. It is a module
// apart, so that none of these libraries is among the server's dependencies, and it holds no code that anybody else uses.
package peers
