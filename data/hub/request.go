package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Fault is the network's or the server's: what was asked for may be right.
type Fault struct {
	Err error

	passing bool          // it may be gone in a moment
	after   time.Duration // how long the server asks to wait; 0: it does not say
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

func fault(format string, args ...any) error { return &Fault{Err: fmt.Errorf(format, args...)} }

// passing is a fault that may be gone in a moment.
func passing(format string, args ...any) error {
	return &Fault{Err: fmt.Errorf(format, args...), passing: true}
}

const (
	// tries is how often something is tried that does not get further.
	tries = 6
	// longestPause lies between two tries, unless the server asks for more,
	longestPause = 8 * time.Second
	// and longestWait is the most that it may ask for.
	longestWait = 10 * time.Minute
	// redirects is how many in a row are followed.
	redirects = 10
	// maxAnswer bounds an answer of the API.
	maxAnswer = 64 << 20
)

// try calls f again while what fails may pass. further is whether f has got further than
// before.
func (c *Client) try(ctx context.Context, f func() (further bool, err error)) error {
	for failed := 1; ; failed++ {
		further, err := f()
		var at *Fault
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &at) || !at.passing:
			return err
		}
		if further {
			failed = 1
		}
		if failed == tries {
			return fault("%w (tried %d times)", err, tries)
		}
		pause := min(time.Second<<(failed-1), longestPause)
		if at.after > 0 {
			if pause = at.after; pause > longestWait {
				return fault("%w, and asks to wait %v (hint: run it again then; what has been fetched is kept)", err, pause)
			}
		}
		c.say(fmt.Sprintf("%v; trying again in %v", err, pause))
		if err := c.sleep(ctx, pause); err != nil {
			return err
		}
	}
}

var errStalled = errors.New("nothing has come for a while")

// origin is what two addresses of one server have in common.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// send gets an address, through redirects. The token goes to the endpoint's own origin alone.
func (c *Client) send(ctx context.Context, address *url.URL, header http.Header) (*http.Response, error) {
	for range redirects {
		if address.Scheme != "https" && (address.Scheme != "http" || c.base.Scheme != "http") {
			return nil, fault("%s redirects to %s://%s, which is not https", c.base.Host, address.Scheme, address.Host)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return nil, fault("%s: %w", address.Host, err)
		}
		req.Header = header.Clone()
		req.Header.Set("User-Agent", "hone")
		req.Header.Set("Accept-Encoding", "identity")
		if c.token != "" && origin(address) == origin(c.base) {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			var at *url.Error
			if errors.As(err, &at) {
				err = at.Err // the address may carry the signature that stands for a token
			}
			if errors.Is(context.Cause(ctx), errStalled) {
				err = errStalled
			}
			return nil, passing("%s: %w", address.Host, err)
		}
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return resp, nil
		}
		resp.Body.Close()
		next, err := address.Parse(resp.Header.Get("Location"))
		if err != nil || next.Host == "" {
			return nil, fault("%s redirects to no address", address.Host)
		}
		address = next
	}
	return nil, fault("%s: more than %d redirects", c.base.Host, redirects)
}

// api gets an address of the API and reads the JSON that it answers.
func (c *Client) api(ctx context.Context, r Ref, address *url.URL, answer any) (http.Header, error) {
	var header http.Header
	err := c.try(ctx, func() (bool, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, 2*c.stall, errStalled)
		defer cancel()
		resp, err := c.send(ctx, address, http.Header{"Accept": {"application/json"}})
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false, c.refused(resp, r, false)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		if err != nil {
			return false, passing("%s: the answer breaks off: %w", address.Host, err)
		}
		if len(text) > maxAnswer {
			return false, fault("%s: the answer is longer than %d MiB", address.Host, maxAnswer>>20)
		}
		if err := json.Unmarshal(text, answer); err != nil {
			return false, fault("%s: the answer is not what a hub says: %w (hint: is HF_ENDPOINT one?)", address.Host, err)
		}
		header = resp.Header
		return false, nil
	})
	return header, err
}

// refused says what a status other than success means: to what was asked of a repository, or of
// a file in it.
func (c *Client) refused(resp *http.Response, r Ref, ofFile bool) error {
	page := c.endpoint + "/" + r.path()
	missing := fmt.Errorf("the hub has no such %s, or it is private (hint: look at %s; for a private one set HF_TOKEN)", r.what(), page)
	noFile := fmt.Errorf("the hub has no such file at %s", r.Revision)
	says, host := serverSays(resp), resp.Request.URL.Host
	code := resp.Header.Get("X-Error-Code")
	status := resp.StatusCode
	if origin(resp.Request.URL) != origin(c.base) && status < 500 && status != http.StatusTooManyRequests {
		// A store that the hub has sent on to, with a signature that is good for a while.
		return passing("%s answers %s%s", host, resp.Status, says)
	}
	switch code {
	case "GatedRepo":
		return fmt.Errorf("it is gated%s (hint: accept its conditions at %s, and set HF_TOKEN to a token of that account)", says, page)
	case "RevisionNotFound":
		return fmt.Errorf("it has no revision %s", r.Revision)
	case "EntryNotFound":
		return noFile
	case "RepoNotFound":
		return missing
	}
	switch {
	case status == http.StatusUnauthorized && c.token != "":
		return fmt.Errorf("the hub does not accept the token in %s%s", c.tokenFrom, says)
	case status == http.StatusUnauthorized: // what it answers for repositories that are not there, too
		return missing
	case status == http.StatusForbidden:
		return fmt.Errorf("the hub does not let this account read it%s (hint: look at %s; a token of the account that may is set as HF_TOKEN)", says, page)
	case status == http.StatusNotFound && ofFile:
		return noFile
	case status == http.StatusNotFound:
		return missing
	case status == http.StatusTooManyRequests:
		return &Fault{Err: fmt.Errorf("%s has had too many requests%s", host, says), passing: true, after: retryAfter(resp.Header)}
	case status == http.StatusRequestTimeout, status >= 500:
		return &Fault{Err: fmt.Errorf("%s answers %s%s", host, resp.Status, says), passing: true, after: retryAfter(resp.Header)}
	}
	return fault("%s answers %s%s", host, resp.Status, says)
}

// serverSays is what the server says of an error, in parentheses, or "".
func serverSays(resp *http.Response) string {
	text := resp.Header.Get("X-Error-Message")
	if text == "" {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what comes of it will do
		var answer struct{ Error string }
		if json.Unmarshal(body, &answer) == nil {
			text = answer.Error
		}
	}
	const most = 200
	if text = strings.Join(strings.Fields(text), " "); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	if text == "" {
		return ""
	}
	return " (it says: " + text + ")"
}

// rateLimit is how the hub says how many requests remain (r), and for how many seconds (t).
var rateLimit = regexp.MustCompile(`;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)`)

// retryAfter is how long a server asks to wait: seconds, or until a moment.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if m := rateLimit.FindStringSubmatch(h.Get("RateLimit")); text == "" && m != nil {
		text = m[1]
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return cmp.Or(max(time.Until(at).Round(time.Second), 0), time.Second)
	}
	return 0
}
