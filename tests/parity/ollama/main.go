// Fills in a Go template as Ollama's template.go does where the template has no list of messages: once per question
// and answer; of the last, what follows .Response is left out.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"text/template"
	"text/template/parse"
)

type Asked struct {
	Template      string
	Conversations [][]struct{ Role, Content string }
}

func untilResponse(list *parse.ListNode) *parse.ListNode {
	for index, node := range list.Nodes {
		action, isAction := node.(*parse.ActionNode)
		if !isAction {
			continue
		}
		for _, command := range action.Pipe.Cmds {
			for _, argument := range command.Args {
				if field, isField := argument.(*parse.FieldNode); isField && slices.Contains(field.Ident, "Response") {
					list.Nodes = list.Nodes[:index+1]
					return list
				}
			}
		}
	}
	return list
}

func main() {
	var asked Asked
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	whole := template.Must(template.New("").Option("missingkey=zero").Parse(asked.Template))
	last := template.Must(template.New("").AddParseTree("", &parse.Tree{Root: untilResponse(whole.Root.CopyList())}))
	prompts := []string{}
	for _, conversation := range asked.Conversations {
		var written bytes.Buffer
		turn := map[string]string{"System": "", "Prompt": "", "Response": ""}
		fill := func(with *template.Template) {
			if err := with.Execute(&written, turn); err != nil {
				panic(err)
			}
			turn = map[string]string{"System": "", "Prompt": "", "Response": ""}
		}
		for _, message := range conversation {
			switch message.Role {
			case "system":
				if turn["Prompt"] != "" || turn["Response"] != "" {
					fill(whole)
				}
				turn["System"] = message.Content
			case "user":
				if turn["Response"] != "" {
					fill(whole)
				}
				turn["Prompt"] = message.Content
			case "assistant":
				turn["Response"] = message.Content
			}
		}
		fill(last)
		prompts = append(prompts, written.String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(prompts); err != nil {
		panic(err)
	}
}
