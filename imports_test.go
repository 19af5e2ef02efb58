package trawl_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/trawl-logs/trawl"

// arrows says which packages of ours each package may import; a test file may import test as well.
// The longest key that is the package's path, or a folder above it, counts. The diagram in
// ARCHITECTURE.md is this table, drawn.
var arrows = map[string]struct{ code, test []string }{
	".":                   {},
	"cmd/trawl":           {code: []string{"bus", "requester", "responder", "schemas", "sample", "bench", "tracing", "relations", "placement", "trail"}, test: []string{"bus/bustest"}},
	"schemas":             {},
	"bus":                 {code: []string{"schemas"}, test: []string{"bus/bustest"}},
	"bus/bustest":         {code: []string{"bus"}},
	"bus/raw":             {test: []string{"bus/bustest"}},                                                           // bare NATS, which trawl is measured beside
	"requester":           {code: []string{"schemas", "requester/blockplan"}, test: []string{"responder", "sample"}}, // the simulation joins them without a server
	"requester/blockplan": {code: []string{"schemas"}},
	"requester/onbus":     {code: []string{"bus", "requester", "schemas"}},
	"requester/printer":   {code: []string{"schemas"}},
	"requester/when":      {},
	"responder":           {code: []string{"schemas", "responder/source", "responder/rotation", "responder/match", "responder/scan", "responder/archive", "responder/feed", "responder/follow", "responder/timestamp", "responder/clock", "responder/timeorder", "responder/outbox", "responder/block", "responder/indexer", "responder/seal", "responder/mover", "placement"}, test: []string{"sample", "requester"}},
	"responder/source":    {},
	"responder/rotation":  {code: []string{"responder/source", "responder/archive"}},
	"responder/scan":      {code: []string{"responder/match", "responder/mapped"}, test: []string{"sample"}},
	"responder/match":     {code: []string{"responder/match"}, test: []string{"sample"}},
	"responder/archive":   {},
	"responder/mapped":    {},
	"responder/feed":      {},
	"responder/timestamp": {},
	"responder/clock":     {code: []string{"responder/scan", "responder/timestamp"}, test: []string{"responder/match"}},
	"responder/timeorder": {code: []string{"responder/scan", "responder/match"}, test: []string{"responder/match"}},
	"responder/follow":    {code: []string{"responder/source", "responder/archive"}},
	"responder/block":     {test: []string{"responder/match"}},
	"responder/indexer":   {code: []string{"responder/block"}},
	"responder/seal":      {code: []string{"responder/block"}},
	"responder/mover":     {code: []string{"schemas", "placement"}},
	"responder/outbox":    {code: []string{"schemas"}},
	"sample":              {},
	"relations":           {},
	"trail":               {code: []string{"relations"}},
	"placement":           {}, // asks for relations through an interface of its own
	"placement/compare":   {code: []string{"placement"}},
	"tracing":             {},
	"bench":               {code: []string{"sample", "bench", "responder/match"}, test: []string{"sample"}},
	"bench/blocklist":     {code: []string{"bus", "schemas"}},
	"bench/index":         {code: []string{"sample", "bench", "responder/block"}}, // measures it, without a node and with a fleet
	"examples/errors":     {code: []string{"bus", "requester", "schemas"}},
	"examples/readalong":  {code: []string{"schemas"}}, // a stranger on the bus
	"needs":               {},                          // of every test that calls other programs
	"e2e":                 {test: []string{"sample", "schemas", "bus", "bus/bustest"}},
}

// natsImporters are the packages that may import NATS: bus and what is below it. Where the bus is
// not in between, a test may speak NATS to it as a stranger would.
var natsImporters = []string{"bus", "e2e", "examples/readalong"}

// The test reads every file through os, whose calls the test cache tracks: a file that changes or
// appears makes it run again.
func TestImports(t *testing.T) {
	files := 0
	for _, file := range goFiles(t) {
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, readFile(t, file), parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Dir(filepath.ToSlash(file))
		rule, known := ruleOf(folder)
		if !known {
			t.Errorf("%s: package %s stands nowhere in the arrows of imports_test.go", file, folder)
			continue
		}
		allowed := arrows[rule].code
		if strings.HasSuffix(file, "_test.go") {
			allowed = slices.Concat(allowed, arrows[rule].test, []string{"needs"})
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "github.com/nats-io/") && !slices.ContainsFunc(natsImporters, func(p string) bool { return within(folder, p) }) {
				t.Errorf("%s imports %s: only bus may", file, name)
			}
			ours, ok := strings.CutPrefix(name, module+"/")
			if !ok || ours == folder || slices.ContainsFunc(allowed, func(p string) bool { return covers(p, ours) }) {
				continue
			}
			t.Errorf("%s imports %s: no arrow goes there from %s", file, ours, rule)
		}
	}
	if files < 20 {
		t.Errorf("found %d Go files: looking in the wrong place", files)
	}
}

// Every exported name says what it is.
func TestExportedNamesAreDocumented(t *testing.T) {
	packageDocs := map[string]bool{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, readFile(t, file), parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Dir(filepath.ToSlash(file))
		packageDocs[folder] = packageDocs[folder] || parsed.Doc != nil
		for _, name := range undocumented(parsed) {
			t.Errorf("%s: %s has no doc comment", file, name)
		}
	}
	for folder, documented := range packageDocs {
		if !documented {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}

// selfEvident are the methods of the error and Stringer interfaces.
var selfEvident = []string{"Error", "Unwrap", "String"}

// undocumented returns the exported names that file declares without a comment. A comment on a
// group of constants, variables or types speaks for all of them; so does one at the end of the line.
func undocumented(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !slices.Contains(selfEvident, d.Name.Name) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil && !typedGroup(file, d) {
							names = append(names, name.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// typedGroup tells whether d is a group of constants of a type that is documented beside it: the
// type's comment then speaks for them.
func typedGroup(file *ast.File, d *ast.GenDecl) bool {
	first, ok := d.Specs[0].(*ast.ValueSpec)
	if !ok || d.Tok != token.CONST {
		return false
	}
	kind, ok := first.Type.(*ast.Ident)
	if !ok {
		return false
	}
	for _, decl := range file.Decls {
		if types, ok := decl.(*ast.GenDecl); ok && types.Tok == token.TYPE && types.Doc != nil {
			for _, spec := range types.Specs {
				if spec.(*ast.TypeSpec).Name.Name == kind.Name {
					return true
				}
			}
		}
	}
	return false
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if index, ok := kind.(*ast.IndexExpr); ok {
		kind = index.X
	}
	name, ok := kind.(*ast.Ident)
	return !ok || name.IsExported()
}

// ruleOf finds the arrows that hold for a folder.
func ruleOf(folder string) (string, bool) {
	for at := folder; ; at = path.Dir(at) {
		if _, ok := arrows[at]; ok && (at != "." || folder == ".") {
			return at, true
		}
		if at == "." {
			return "", false
		}
	}
}

// covers tells whether an arrow to allowed is one to ours: the package or one below it. The server
// for tests is never meant by an arrow to bus.
func covers(allowed, ours string) bool {
	return ours == allowed || within(ours, allowed) && ours != "bus/bustest"
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

// goFiles lists the module's Go files; tools/ is a module of its own.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || hasModule(name)):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func hasModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
