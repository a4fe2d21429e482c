package flow_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "project")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	letters := &flow.Node{
		Name: "letters", Kind: "letters", Code: "1",
		Run: func(ctx context.Context, t *flow.Task) error {
			return t.Create("letters.txt", func(w io.Writer) error { _, err := io.WriteString(w, "abc"); return err })
		},
	}
	count := &flow.Node{
		Name: "count", Kind: "count", Code: "1", Inputs: []*flow.Node{letters},
		Run: func(ctx context.Context, t *flow.Task) error {
			o, err := t.Open(0, "letters.txt")
			if err != nil {
				return err
			}
			b, err := o.Bytes()
			if err != nil {
				return err
			}
			return t.Create("count.txt", func(w io.Writer) error { _, err := fmt.Fprint(w, len(b)); return err })
		},
	}
	for range 2 {
		r, err := flow.Run(context.Background(), s, []*flow.Node{count}, flow.Options{Workers: 2})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, n := range r.Nodes {
			fmt.Println(n.Name, n.Status)
		}
	}
	// Output:
	// letters ran
	// count ran
	// letters cached
	// count cached
}
