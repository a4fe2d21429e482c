package report

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/mlfactory/mlfactory/judge"
)

// Key is one key of summary.json.
type Key struct {
	Path string // keys joined by dots; [] after a list, * for any key of a map
	Type string // text, number, whole number, true or false, object, list, map; "or null" where it may be missing
	Doc  string
}

// Keys lists every key of summary.json in the order in which they are written.
// A field without a description is an error. docs/summary.md is made from it.
func Keys() ([]Key, error) {
	var out []Key
	err := keys(reflect.TypeFor[Summary](), "", &out)
	return out, err
}

func keys(t reflect.Type, prefix string, out *[]Key) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		doc := f.Tag.Get("doc")
		if name == "" || doc == "" {
			return fmt.Errorf("report: %s.%s has no key or no description", t.Name(), f.Name)
		}
		path, ft, null := prefix+name, f.Type, ""
		if ft.Kind() == reflect.Pointer {
			ft, null = ft.Elem(), " or null"
		}
		inner := ft
		kind := ""
		switch {
		case ft == reflect.TypeFor[judge.Number]():
			kind, null = "number", " or null"
		case ft.Kind() == reflect.Slice:
			inner, path = ft.Elem(), path+"[]"
			kind = "list of " + plain(inner) + "s"
		case ft.Kind() == reflect.Map:
			inner, path = ft.Elem(), path+".*"
			kind = "map to " + plain(inner) + "s"
		default:
			kind = plain(ft)
		}
		*out = append(*out, Key{Path: path, Type: kind + null, Doc: doc})
		if inner.Kind() == reflect.Struct {
			if err := keys(inner, path+".", out); err != nil {
				return err
			}
		}
	}
	return nil
}

func plain(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return "object"
	case reflect.Float64:
		return "number"
	}
	return "whole number"
}
