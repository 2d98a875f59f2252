// Package endtoend tells the product's stories against the built binary, over HTTP, on every engine. It owns tests only, and no test of one
// room by itself.
package endtoend
