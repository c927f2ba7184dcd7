package web

import "net/http"

// StartPerson is one sample person of the dev world.
type StartPerson struct {
	Name Text // 李秀英, Li Xiuying
	Note Text // "Guangdong, level 3. Driving licence."
}

// Door is one listener of the dev world.
type Door struct {
	Port string
	Name Text
	What Text
	Href string
}

// StartClient is the confidential client for experiments.
type StartClient struct {
	Issuer       string
	ID, Secret   string
	RedirectURIs []string
	Trail        string // href of its last requests, "" hides it
}

// LastLogin is what happened in the latest login of the dev world, oldest step first.
type LastLogin struct{ Steps []Fact }

// StartPage is the home page of `hufu dev`.
type StartPage struct {
	Department     string // URL of the sample department to begin with
	DepartmentName Text
	Province       Text // the province of the walk, for example 广东
	Person         Text // whom to choose there
	People         []StartPerson
	Doors          []Door
	Faults         []Action // ways to break something that exist
	Wallet         string   // href of the hosted wallet, "" hides it
	Licences       string   // href of "my licences", "" hides it
	Client         *StartClient
	LastLogin      *LastLogin
	Commands       []Command // what to try in the terminal
	More           []Action  // links for the foot
}

// Command is a line for the terminal with what it does.
type Command struct {
	What Text
	Line string
}

// Start shows the home page of the dev world.
func (p *Pages) Start(w http.ResponseWriter, r *http.Request, page StartPage) {
	p.Render(w, r, http.StatusOK, "start", page)
}

// HomePage is the home page of a production server.
type HomePage struct {
	Wallet   string   // href of the hosted wallet, "" hides it
	Licences string   // href of "my licences"
	Links    []Action // what else a person can open here
	Trust    []Action // for departments: published keys, trust bundle, metadata
}

// Home shows the home page of a production server.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request, page HomePage) {
	p.Render(w, r, http.StatusOK, "home", page)
}
