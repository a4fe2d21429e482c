package command

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// schema is the part of JSON Schema that tagged configs need.
type schema struct {
	Schema      string      `json:"$schema,omitempty"`
	ID          string      `json:"$id,omitempty"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Type        any         `json:"type,omitempty"`
	Const       any         `json:"const,omitempty"`
	Enum        []any       `json:"enum,omitempty"`
	Pattern     string      `json:"pattern,omitempty"`
	Minimum     *float64    `json:"minimum,omitempty"`
	Maximum     *float64    `json:"maximum,omitempty"`
	Default     any         `json:"default,omitempty"`
	Properties  *properties `json:"properties,omitempty"`
	Closed      *bool       `json:"additionalProperties,omitempty"`
	Items       *schema     `json:"items,omitempty"`
	AllOf       []*schema   `json:"allOf,omitempty"`
	If          *schema     `json:"if,omitempty"`
	Then        *schema     `json:"then,omitempty"`
}

// properties keep the order of the fields.
type properties struct {
	names  []string
	values []*schema
}

func (p *properties) get(name string) *schema {
	if i := slices.Index(p.names, name); i >= 0 {
		return p.values[i]
	}
	return nil
}

func (p *properties) add(name string, s *schema) {
	p.names, p.values = append(p.names, name), append(p.values, s)
}

// MarshalJSON writes an object in the order of addition.
func (p *properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, n := range p.names {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(p.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// condition is "if use is name, then config looks like this".
func condition(name string, cfg *schema) *schema {
	use, then := &properties{}, &properties{}
	use.add("use", &schema{Const: name})
	then.add("config", cfg)
	return &schema{If: &schema{Properties: use}, Then: &schema{Properties: then}}
}

// schemaOf reflects the schema of a tagged config, with its values as defaults.
func schemaOf(cfg any) (*schema, error) {
	v := reflect.ValueOf(cfg)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return reflectSchema(v, reflect.StructTag(""), "")
}

var (
	marshaler = reflect.TypeFor[encoding.TextMarshaler]()
	duration  = reflect.TypeFor[param.Duration]()
)

func reflectSchema(v reflect.Value, tag reflect.StructTag, path string) (*schema, error) {
	t := v.Type()
	s := &schema{Description: tag.Get("doc")}
	bound := func(key string) (*float64, error) {
		text := tag.Get(key)
		if text == "" || t == duration {
			return nil, nil // durations are texts; param checks their bounds
		}
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: tag %s: %w", path, key, err)
		}
		return &x, nil
	}
	if t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler) {
		s.Type = "string"
		return s, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		closed := false
		s.Type, s.Properties, s.Closed = "object", &properties{}, &closed
		return s, s.fields(v, path)
	case reflect.Pointer:
		e := v.Elem()
		if v.IsNil() {
			e = reflect.Zero(t.Elem())
		}
		x, err := reflectSchema(e, tag, path)
		if err == nil {
			x.Type = []any{x.Type, "null"}
		}
		return x, err
	case reflect.Slice, reflect.Array:
		e := reflect.Zero(t.Elem())
		if v.Len() > 0 {
			e = v.Index(0)
		}
		items, err := reflectSchema(e, reflect.StructTag(strings.ReplaceAll(string(tag), "doc:", "listdoc:")), path+".*")
		s.Type, s.Items = "array", items
		return s, err
	case reflect.Map:
		s.Type = "object"
		return s, nil
	case reflect.Interface:
		s.Type = "object"
		return s, nil
	case reflect.Bool:
		s.Type = "boolean"
	case reflect.String:
		s.Type = "string"
	case reflect.Float32, reflect.Float64:
		s.Type = "number"
	default:
		s.Type = "integer"
	}
	var err error
	if s.Minimum, err = bound("min"); err != nil {
		return nil, err
	}
	if s.Maximum, err = bound("max"); err != nil {
		return nil, err
	}
	if e, ok := tag.Lookup("enum"); ok {
		for _, x := range strings.Split(e, ",") {
			s.Enum = append(s.Enum, x)
		}
	}
	s.Default = v.Interface()
	return s, nil
}

// fields adds the fields of a struct, inline ones in place.
func (s *schema) fields(v reflect.Value, path string) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || tag[0] == "-" {
			continue
		}
		if slices.Contains(tag[1:], "inline") {
			if err := s.fields(v.Field(i), path); err != nil {
				return err
			}
			continue
		}
		key := tag[0]
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		x, err := reflectSchema(v.Field(i), f.Tag, path+"."+key)
		if err != nil {
			return err
		}
		s.Properties.add(key, x)
	}
	return nil
}
