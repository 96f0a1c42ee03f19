package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const envPrefix = "WEIR_"

// foreignEnv matches WEIR_ variables that are not ours to judge: WEIR_TEST_*, and those that
// Kubernetes gives every container for a Service whose name starts with "weir".
var foreignEnv = regexp.MustCompile(`^WEIR_TEST_|^WEIR(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// envName returns the environment variable of a setting: WEIR_STATE_REDIS_URL for
// state.redis.url.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// readEnv assigns what WEIR_ variables set.
func (l *loader) readEnv() {
	paths := map[string]string{}
	for _, path := range l.settings.paths {
		paths[envName(path)] = path
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if !strings.HasPrefix(name, envPrefix) || foreignEnv.MatchString(name) {
			continue
		}
		path, ok := paths[name]
		if !ok {
			hint, _ := didYouMean(name, slices.Sorted(maps.Keys(paths)))
			if hint == "" {
				hint = "; WEIR_STATE_REDIS_URL sets state.redis.url, and so on"
			}
			l.faults = append(l.faults, &Fault{Origin: name, Problem: "no setting has this environment variable" + hint})
			continue
		}
		l.assignText(path, l.env[name], origin{name: name})
	}
}

// readSet assigns what --set arguments set.
func (l *loader) readSet(args []string) {
	for _, arg := range args {
		path, text, ok := strings.Cut(arg, "=")
		switch {
		case !ok:
			l.faults = append(l.faults, &Fault{Origin: "--set", Path: path, Problem: "wants path=value, such as state.store=memory"})
		case l.settings.isSection(path):
			children := strings.Join(l.settings.children[path], ", ")
			l.faults = append(l.faults, &Fault{Origin: "--set", Path: path, Problem: fmt.Sprintf("is a section; set one of %s in it", children)})
		case !l.settings.leaves[path].IsValid():
			hint, _ := didYouMean(path, l.settings.paths)
			l.faults = append(l.faults, &Fault{Origin: "--set", Path: path, Problem: "unknown setting" + hint})
		default:
			l.assignText(path, text, origin{name: "--set"})
		}
	}
}

func (l *loader) assignText(path, text string, o origin) {
	values := []string{text}
	if l.settings.isList(path) {
		values = splitList(text)
	}
	l.assign(path, values, o)
}
