package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is given to the YAML parser, whose time grows with the square of both: on
// brackets inside brackets (and dashes before dashes), of which settings need four, and on
// the number of tokens, of which example.yaml has about 200.
const (
	maxNesting = 16
	maxTokens  = 20_000
)

var errIndirect = errors.New("YAML anchors, aliases and tags are not supported; write the value out")

// readYAML assigns what the file sets. It returns false where the file is not YAML at all.
func (l *loader) readYAML(data []byte) bool {
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxTokens {
		l.syntax(tokens[maxTokens], "the file is too long for a configuration")
		return false
	}
	if deep := tooDeep(tokens); deep != nil {
		l.syntax(deep, "lists are nested too deeply")
		return false
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		var at yaml.Error
		if !errors.As(err, &at) {
			l.faults = append(l.faults, &Fault{Origin: l.file, Problem: "no valid YAML"})
			return false
		}
		l.syntax(at.GetToken(), "no valid YAML: "+at.GetMessage())
		return false
	}
	documents := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(documents) > 1 {
		l.syntax(documents[1].Body.GetToken(), "more than one YAML document; a configuration is one")
		return false
	}
	for _, d := range documents {
		l.section("", d.Body)
	}
	return true
}

// tooDeep returns the token that goes beyond maxNesting, or nil.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		}
		if max(brackets, dashes) > maxNesting {
			return t
		}
	}
	return nil
}

// syntax records a fault of the file itself.
func (l *loader) syntax(at *token.Token, problem string) {
	o := l.originOf(at)
	if o.line > 0 && o.line <= len(l.lines) && strings.Contains(l.lines[o.line-1], "${") {
		problem += "; a value with ${env:NAME} inside {} or [] needs quotes"
	}
	l.faults = append(l.faults, l.faultAt(o, "", problem))
}

func (l *loader) originOf(t *token.Token) origin {
	if t == nil || t.Position == nil {
		return origin{name: l.file}
	}
	return origin{name: l.file, line: t.Position.Line, column: t.Position.Column}
}

// section walks the mapping that holds the section at path.
func (l *loader) section(path string, node ast.Node) {
	switch n := node.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		for _, pair := range n.Values {
			l.pair(path, pair)
		}
	case *ast.MappingValueNode:
		l.pair(path, n)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		l.sectionFault(path, node, errIndirect.Error())
	default:
		l.sectionFault(path, node, "wants settings below it: "+strings.Join(l.settings.children[path], ", "))
	}
}

// sectionFault records a fault of a whole section; its settings are not reported as missing too.
func (l *loader) sectionFault(path string, node ast.Node, problem string) {
	l.faults = append(l.faults, l.faultAt(l.originOf(node.GetToken()), path, problem))
	for _, p := range l.settings.paths {
		if path == "" || strings.HasPrefix(p, path+".") {
			l.blamed[p] = true
		}
	}
}

// pair assigns one "key: value" of the section at path.
func (l *loader) pair(section string, pair *ast.MappingValueNode) {
	key := pair.Key.GetToken()
	path := join(section, key.Value)
	if !slices.Contains(l.settings.children[section], key.Value) {
		hint := l.hint(section, key.Value)
		l.faults = append(l.faults, l.faultAt(l.originOf(key), path, "unknown key"+hint))
		return
	}
	if l.settings.isSection(path) {
		l.section(path, pair.Value)
		return
	}
	values, err := l.values(path, pair.Value)
	if err != nil {
		l.origins[path] = l.originOf(key)
		l.fault(path, err.Error())
		return
	}
	l.assign(path, values, l.originOf(key))
}

// hint says what an unknown key may have meant: a key of the same section, else one of the
// same name elsewhere. The setting that was meant is not reported as missing too.
func (l *loader) hint(section, key string) string {
	siblings := l.settings.children[section]
	hint, nearest := didYouMean(key, siblings)
	if nearest != "" {
		l.blamed[join(section, nearest)] = true
		return hint
	}
	for _, path := range l.settings.paths {
		if strings.HasSuffix(path, "."+key) {
			l.blamed[path] = true
			return fmt.Sprintf(", did you mean %q?", path)
		}
	}
	if section == "" {
		return "; the sections are " + strings.Join(siblings, ", ")
	}
	return fmt.Sprintf("; %s has %s", section, strings.Join(siblings, ", "))
}

// values returns the text of a scalar, or of each element of a list.
func (l *loader) values(path string, node ast.Node) ([]string, error) {
	list, isList := node.(*ast.SequenceNode)
	if !isList {
		text, err := l.scalar(node)
		if err == nil && l.settings.isList(path) {
			return splitList(text), nil
		}
		return []string{text}, err
	}
	if !l.settings.isList(path) {
		return nil, errors.New("wants one value, not a list")
	}
	values := make([]string, 0, len(list.Values))
	for _, element := range list.Values {
		text, err := l.scalar(element)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(values)+1, err)
		}
		values = append(values, text)
	}
	return values, nil
}

// scalar returns the text of one value, as written but for references to the environment.
func (l *loader) scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return l.interpolate(n.Value)
	case *ast.LiteralNode:
		return l.interpolate(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	case *ast.NullNode:
		return "", errors.New("has no value; write one, or remove the line to get the default")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "", errIndirect
	default:
		return "", errors.New("wants a value, not a mapping or a list")
	}
}

var reference = regexp.MustCompile(`\$?\$\{[^}]*\}?`)

// interpolate replaces ${env:NAME} and ${env:NAME:-default}, whose default stands in for a
// variable that is unset or empty. $${ is a literal ${.
func (l *loader) interpolate(text string) (string, error) {
	var errs []error
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		value, err := l.lookup(ref)
		errs = append(errs, err)
		return value
	})
	return out, errors.Join(errs...)
}

var referenceForm = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}$`)

func (l *loader) lookup(ref string) (string, error) {
	m := referenceForm.FindStringSubmatch(ref)
	if m == nil {
		return "", errors.New("a reference is written ${env:NAME} or ${env:NAME:-default}; write $${ for a literal ${")
	}
	name, hasDefault, value := m[1], m[2] != "", m[3]
	if set, ok := l.env[name]; ok && (set != "" || !hasDefault) {
		return set, nil
	}
	if !hasDefault {
		return "", fmt.Errorf("environment variable %s is not set; set it, or write ${env:%s:-default}", name, name)
	}
	return value, nil
}
