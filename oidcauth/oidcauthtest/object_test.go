package oidcauthtest_test

import (
	"encoding/json"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestObject(t *testing.T) {
	for name, test := range map[string]struct {
		bend func(*oidcauthtest.Object)
		want string
	}{
		"an untouched object keeps the order of its names":    {func(*oidcauthtest.Object) {}, `{"a":1,"b":"x"}`},
		"Set replaces in place":                               {func(o *oidcauthtest.Object) { o.Set("a", []int{2}) }, `{"a":[2],"b":"x"}`},
		"Set appends what is new":                             {func(o *oidcauthtest.Object) { o.Set("c", nil) }, `{"a":1,"b":"x","c":null}`},
		"Add writes a duplicate":                              {func(o *oidcauthtest.Object) { o.Add("a", 9) }, `{"a":1,"b":"x","a":9}`},
		"Set removes duplicates":                              {func(o *oidcauthtest.Object) { o.Add("a", 9); o.Set("a", 3) }, `{"a":3,"b":"x"}`},
		"Delete removes all of a name":                        {func(o *oidcauthtest.Object) { o.Add("a", 9); o.Delete("a", "zz") }, `{"b":"x"}`},
		"a raw value is written as it stands":                 {func(o *oidcauthtest.Object) { o.Set("a", json.RawMessage("NaN")) }, `{"a":NaN,"b":"x"}`},
		"markup is not escaped":                               {func(o *oidcauthtest.Object) { o.Set("b", "<&>") }, `{"a":1,"b":"<&>"}`},
		"an object nests":                                     {func(o *oidcauthtest.Object) { o.Set("a", oidcauthtest.NewObject(map[string]any{"x": 1})) }, `{"a":{"x":1},"b":"x"}`},
		"Replace writes anything":                             {func(o *oidcauthtest.Object) { o.Replace("[cut") }, `[cut`},
		"Replace with nothing writes nothing":                 {func(o *oidcauthtest.Object) { o.Replace("") }, ``},
		"names may be hostile":                                {func(o *oidcauthtest.Object) { o.Add("\"\n", 1) }, `{"a":1,"b":"x","\"\n":1}`},
		"a name that differs by case only is another's":       {func(o *oidcauthtest.Object) { o.Add("A", 2) }, `{"a":1,"b":"x","A":2}`},
		"deleting everything leaves the empty object":         {func(o *oidcauthtest.Object) { o.Delete("a", "b") }, `{}`},
		"a number larger than a double is written with a raw": {func(o *oidcauthtest.Object) { o.Set("a", json.RawMessage("1e400")) }, `{"a":1e400,"b":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := oidcauthtest.NewObject(map[string]any{"b": "x", "a": 1})
			test.bend(o)
			require.Equal(t, test.want, string(o.Bytes()))
		})
	}
}

func TestObjectReads(t *testing.T) {
	o := oidcauthtest.NewObject(map[string]any{"n": 1, "s": "text", "null": nil})
	o.Add("s", "second")
	o.Add("bad", json.RawMessage("{"))
	require.Equal(t, 1.0, o.Get("n"))
	require.Equal(t, "text", o.Text("s"))
	require.Empty(t, o.Text("n"))
	require.True(t, o.Has("null"))
	require.Nil(t, o.Get("null"))
	require.Nil(t, o.Get("bad"))
	require.False(t, o.Has("absent"))
	require.Nil(t, o.Get("absent"))
}

func TestObjectRefusesWhatIsNotJSON(t *testing.T) {
	require.PanicsWithValue(t, "oidcauthtest: a value that is not JSON; use json.RawMessage to write broken JSON: json: unsupported type: chan int",
		func() { new(oidcauthtest.Object).Set("x", make(chan int)) })
}
