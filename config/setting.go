package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// settings is a Config seen as a table: each leaf by its dotted path.
type settings struct {
	paths    []string // of the leaves, in the order of the structs
	leaves   map[string]reflect.Value
	oneof    map[string][]string // the values a leaf may have, where they are few
	children map[string][]string // names inside a section; "" is the whole
}

// settingsOf returns c's settings; setting one changes c.
func settingsOf(c *Config) settings {
	s := settings{leaves: map[string]reflect.Value{}, oneof: map[string][]string{}, children: map[string][]string{}}
	s.collect("", reflect.ValueOf(c).Elem())
	return s
}

func (s *settings) collect(section string, v reflect.Value) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name := tag.Get("yaml")
		path := join(section, name)
		s.children[section] = append(s.children[section], name)
		_, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Field(i).Addr())
		if v.Field(i).Kind() == reflect.Struct && !isText {
			s.collect(path, v.Field(i))
			continue
		}
		s.paths = append(s.paths, path)
		s.leaves[path] = v.Field(i)
		if values, ok := tag.Lookup("oneof"); ok {
			s.oneof[path] = strings.Split(values, ",")
		}
	}
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

func (s *settings) isSection(path string) bool { return s.children[path] != nil }

func (s *settings) isList(path string) bool {
	return s.leaves[path].IsValid() && s.leaves[path].Kind() == reflect.Slice
}

// secret reports whether the leaf at path must not be shown.
func (s *settings) secret(path string) bool {
	if v := s.leaves[path]; v.IsValid() {
		return v.Type() == reflect.TypeFor[Secret]() || v.Type() == reflect.TypeFor[SecretURL]()
	}
	return false
}

// text returns the value of a leaf of string kind, and "" for a path that is none.
func (s *settings) text(path string) string {
	if v := s.leaves[path]; v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

// set parses values into the leaf at path: one value, or any number for a list.
func (s *settings) set(path string, values []string) error {
	leaf := s.leaves[path]
	if leaf.Kind() == reflect.Slice {
		leaf.Set(reflect.ValueOf(values))
		return nil
	}
	text := values[0]
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](leaf.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	if leaf.Type() == reflect.TypeFor[time.Duration]() {
		d, err := parseDuration(text)
		leaf.SetInt(int64(d))
		return err
	}
	switch leaf.Kind() {
	case reflect.String:
		leaf.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		leaf.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		leaf.SetInt(int64(n))
	default:
		panic("config: no way to set a " + leaf.Type().String())
	}
	return nil
}

// splitList cuts "a, b" into its elements; an empty text is an empty list.
func splitList(text string) []string {
	var list []string
	for element := range strings.SplitSeq(text, ",") {
		if element = strings.TrimSpace(element); element != "" {
			list = append(list, element)
		}
	}
	return list
}
