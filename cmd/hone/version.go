package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"hone/recipes"
)

// A version is what this program was built from.
type version struct {
	Hone     string `json:"hone"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"` // of the source; "": not known
	Time     string `json:"time,omitempty"`     // of the revision
	Modified bool   `json:"modified,omitempty"` // the source had uncommitted changes
}

func thisVersion() version {
	v := version{Hone: recipes.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func versionText() string {
	v := thisVersion()
	var b strings.Builder
	fmt.Fprintf(&b, "hone %s\n%s %s\n", v.Hone, v.Go, v.Platform)
	if v.Revision != "" {
		fmt.Fprintf(&b, "revision %s of %s", v.Revision, v.Time)
		if v.Modified {
			b.WriteString(", with uncommitted changes")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func newVersion(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of hone and what it was built from",
		Long: `Prints the version of hone, the version of Go, the platform and the revision of the source
that it was built from: what a report of a fault should contain.`,
		Example: "  hone version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if t.json {
				return t.printJSON(thisVersion())
			}
			_, err := fmt.Fprint(t.out, versionText())
			return err
		},
	}
}
