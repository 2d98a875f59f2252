package secretref

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// AWSName is the scheme of AWS Secrets Manager: "aws-secretsmanager:<name or ARN>", and "#key" behind it for one value of a JSON secret.
const AWSName = "aws-secretsmanager"

// AWSConfig is what AWS needs beside what the SDK finds in the environment: region, credentials or role, and AWS_ENDPOINT_URL.
type AWSConfig struct {
	HTTP aws.HTTPClient   // the way out
	Now  func() time.Time // the machine's clock
	Keep time.Duration    // how long a value is used before it is asked for again; default 2 min
	Log  *slog.Logger
}

// AWS reads AWS Secrets Manager. Each secret is read once and kept for Keep, so that a configuration with ten keys of one secret is one call.
// When a later read fails the last value goes on being used, and that is logged: a secrets manager that is down must not take logins with it.
type AWS struct {
	cfg    AWSConfig
	mu     sync.Mutex
	client *secretsmanager.Client
	kept   map[string]keptValue
}

type keptValue struct {
	text  string
	asked time.Time
}

// NewAWS makes one. It asks nobody yet; without a reference of its scheme it never does.
func NewAWS(cfg AWSConfig) *AWS {
	if cfg.Keep <= 0 {
		cfg.Keep = 2 * time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &AWS{cfg: cfg, kept: map[string]keptValue{}}
}

// Read is the Scheme.
func (a *AWS) Read(ctx context.Context, ref string) (string, error) {
	id, key := ref, ""
	if i := strings.LastIndexByte(ref, '#'); i >= 0 {
		if id, key = ref[:i], ref[i+1:]; key == "" {
			return "", errors.New("the JSON key behind # is missing")
		}
	}
	if id == "" {
		return "", errors.New("the secret's name or ARN is missing")
	}
	text, err := a.whole(ctx, id)
	if err != nil || key == "" {
		return text, err
	}
	return member(id, key, text)
}

// member gives one value of a JSON object. Its errors never quote the document.
func member(id, key, text string) (string, error) {
	var all map[string]any
	if json.Unmarshal([]byte(text), &all) != nil {
		return "", fmt.Errorf("secret %s is no JSON object", id)
	}
	value, ok := all[key].(string)
	if !ok {
		return "", fmt.Errorf("secret %s has no text under the key %s", id, key)
	}
	return value, nil
}

func (a *AWS) whole(ctx context.Context, id string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, have := a.kept[id]
	now := a.cfg.Now()
	if have && now.Sub(old.asked) < a.cfg.Keep {
		return old.text, nil
	}
	text, err := a.ask(ctx, id)
	if err != nil && have {
		a.cfg.Log.WarnContext(ctx, "a secret could not be read again; the last value stays in use", "secret", id, "error", err.Error())
		return old.text, nil
	}
	if err == nil {
		a.kept[id] = keptValue{text, now}
	}
	return text, err
}

func (a *AWS) ask(ctx context.Context, id string) (string, error) {
	if a.client == nil {
		c, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(a.cfg.HTTP))
		if err != nil {
			return "", fmt.Errorf("AWS: %w", err)
		}
		a.client = secretsmanager.NewFromConfig(c)
	}
	out, err := a.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", awsFault(id, err)
	}
	switch {
	case out.SecretString != nil:
		return *out.SecretString, nil
	case len(out.SecretBinary) > MaxBytes:
		return "", fmt.Errorf("secret %s is longer than %d bytes", id, MaxBytes)
	}
	return string(out.SecretBinary), nil
}

// awsFault keeps of an answer its code and message: the SDK's whole text is a paragraph.
func awsFault(id string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("secret %s: AWS answers %s: %s", id, api.ErrorCode(), api.ErrorMessage())
	}
	return fmt.Errorf("secret %s: %w", id, err)
}
