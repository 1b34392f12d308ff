package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultEndpoint is the hub itself.
const defaultEndpoint = "https://huggingface.co"

// A Client talks to one hub and keeps what it fetches in one directory.
type Client struct {
	// Say is told what the client waits for; may be nil.
	Say func(notice string)

	endpoint         string // the hub's address, without a slash at its end
	base             *url.URL
	token, tokenFrom string // sent to the endpoint alone, "": none; and where it is from
	offline          bool   // only what the cache has
	cache            string
	http             *http.Client
	sleep            func(ctx context.Context, d time.Duration) error
	stall            time.Duration // that a body may bring nothing
}

// New is a client of the hub that the environment names, as the Python huggingface_hub reads
// it: HF_ENDPOINT; HF_TOKEN, or the file that HF_TOKEN_PATH names, or the file token in
// HF_HOME; HF_HUB_OFFLINE. It keeps what it fetches in the directory hub below cache.
func New(cache string) (*Client, error) {
	c := &Client{
		endpoint: cmp.Or(strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"), defaultEndpoint),
		offline:  isTrue(os.Getenv("HF_HUB_OFFLINE")),
		cache:    filepath.Join(cache, "hub"),
		sleep:    sleep,
		stall:    time.Minute,
	}
	var err error
	c.base, err = url.Parse(c.endpoint)
	if err != nil || c.base.Scheme != "http" && c.base.Scheme != "https" || c.base.Host == "" || c.base.User != nil || c.base.RawQuery != "" || c.base.Fragment != "" {
		return nil, errors.New("HF_ENDPOINT is not the address of a hub (hint: as in https://huggingface.co)") // which may hold a password
	}
	if c.token, c.tokenFrom, err = token(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = c.stall
	c.http = &http.Client{
		Transport: transport,
		// Redirects are followed by hand: the library would send the token to every port of
		// the endpoint's host, and to hosts below it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// isTrue reads a switch as huggingface_hub does.
func isTrue(value string) bool {
	switch strings.ToUpper(value) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// token finds the user's token, and says where.
func token() (token, from string, err error) {
	if isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return "", "", nil
	}
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if token, from = strings.TrimSpace(os.Getenv(name)), name; token != "" {
			break
		}
	}
	if token == "" {
		from = tokenPath()
		text, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", nil
		}
		if err != nil {
			return "", "", fmt.Errorf("the token of the hub: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", "", fmt.Errorf("the token in %s has characters that no token of the hub has", from)
	}
	return token, from, nil
}

// tokenPath is where huggingface_hub keeps the token of who has logged in.
func tokenPath() string {
	if path := os.Getenv("HF_TOKEN_PATH"); path != "" {
		return expand(path)
	}
	home := os.Getenv("HF_HOME")
	if home == "" {
		home = filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join("~", ".cache")), "huggingface")
	}
	return filepath.Join(expand(home), "token")
}

// expand puts the user's home in the place of ~, and variables in that of their names. Who has
// no home has no file there.
func expand(path string) string {
	path = os.ExpandEnv(path)
	rest, ok := strings.CutPrefix(path, "~")
	if home, err := os.UserHomeDir(); ok && err == nil && (rest == "" || os.IsPathSeparator(rest[0])) {
		return filepath.Join(home, rest)
	}
	return path
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *Client) say(notice string) {
	if c.Say != nil {
		c.Say(notice)
	}
}
