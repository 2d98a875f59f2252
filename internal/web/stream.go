package web

import (
	"net/http"
	"time"
)

// Linger frees the exchange from the bound on how long a caller may take to speak, for answers that take long on purpose. Without it
// net/http takes a caller who has said everything for one who is gone.
func (x *Exchange) Linger() {
	_ = http.NewResponseController(x.W).SetReadDeadline(time.Time{})
}

// Stream is an answer that goes on. One goroutine writes it.
type Stream struct {
	x       *Exchange
	control *http.ResponseController
	patient time.Duration
}

// Stream begins an answer without end. Each Send may take as long as patient: a reader who does not read must not hold memory here for ever.
// The exchange is logged when its handler comes back; how long it took is not counted among the route's times.
func (x *Exchange) Stream(contentType string, patient time.Duration) *Stream {
	x.Linger()
	x.streamed = true
	h := x.W.Header()
	h["Content-Type"] = []string{contentType}
	h["X-Accel-Buffering"] = []string{"no"} // else nginx keeps it until it is worth sending
	x.W.WriteHeader(http.StatusOK)
	s := &Stream{x: x, control: http.NewResponseController(x.W), patient: patient}
	_ = s.Send() // the head goes out at once: whoever asked knows that it is heard; a fault shows again with the first part
	return s
}

// Send writes the parts and pushes them out. An error means that the reader is gone or too slow, and ends the stream.
func (s *Stream) Send(parts ...string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patient)); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := s.x.out.ResponseWriter.Write([]byte(p)); err != nil {
			return err
		}
	}
	return s.control.Flush()
}
