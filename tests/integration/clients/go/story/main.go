// What a service does with ZeroG, by the generated client. It prints what it saw.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/invoices/zerog"
)

var (
	ctx  = context.Background()
	home = zerog.SendInvoiceAddress{Street: "Main Street 1", City: "London"}
)

// story is told to one API.
type story struct{ *zerog.ClientWithResponses }

// must returns the body of a successful call, and ends the program if the call had none.
func must[T any](body *T, err error, raw []byte) *T {
	if err != nil || body == nil {
		log.Fatalf("%v %s", err, raw)
	}
	return body
}

// ptr returns a pointer to a value: a field that may be left out is one.
func ptr[T any](value T) *T { return &value }

func (s story) wait(job uuid.UUID) *zerog.Progress {
	for range 20 {
		found, err := s.GetProgressWithResponse(ctx, job, &zerog.GetProgressParams{Wait: ptr(20.0)})
		if progress := must(found.JSON200, err, found.Body); progress.ResultCode != -1 {
			return progress
		}
	}
	log.Fatalf("%s does not end", job)
	return nil
}

func (s story) data(job uuid.UUID) any {
	s.wait(job)
	found, err := s.GetDataWithResponse(ctx, job)
	return must(found.JSON200, err, found.Body).Data
}

func (s story) send() uuid.UUID {
	params := zerog.RunSendInvoiceParams{IdempotencyKey: ptr("go-1")}
	sent, err := s.RunSendInvoiceWithResponse(ctx, &params, zerog.SendInvoiceParameters{
		Customer: "Ada",
		Lines: []zerog.SendInvoiceLine{
			{Article: "tea", Count: ptr(3), Price: ptr(4.1)},
			{Article: "pot"},
		},
		Address: home,
		Kind:    ptr(zerog.SendInvoiceParametersKindPaper),
		Due:     ptr(time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)),
		Labels:  &map[string]string{"team": "sales"},
	})
	return must(sent.JSON201, err, sent.Body).Uuid
}

// run runs jobs: by the call for every type, by the one of a type, several at once.
func (s story) run() {
	params := zerog.RunJobParams{Priority: ptr(2)}
	words, err := s.RunJobWithResponse(ctx, "CountWords", &params, map[string]any{"text": "one two two"})
	job := must(words.JSON201, err, words.Body).Uuid
	fmt.Println("general call:", s.wait(job).State, s.data(job))

	invoice, word := s.send(), "another job"
	if s.send() == invoice {
		word = "the same job"
	}
	fmt.Println("repeated call:", word)
	sent := s.data(invoice).(map[string]any)
	fmt.Println("call of the type:", sent["total"], sent["currency"], sent["kind"], sent["due"])
	s.read(invoice)

	batch, err := s.RunJobsWithResponse(ctx, nil, zerog.Batch{Jobs: []zerog.BatchItem{
		{Type: "CountWords", Parameters: &map[string]any{"text": "one"}, Priority: ptr(1)},
		{Type: "CountWords", Parameters: &map[string]any{"text": "one two"}, Timeout: ptr(60.5)},
	}})
	for _, job := range must(batch.JSON201, err, batch.Body).Uuids {
		fmt.Println("batch:", s.wait(job).State, s.data(job))
	}
}

// read looks at a finished job.
func (s story) read(job uuid.UUID) {
	whole, err := s.GetJobWithResponse(ctx, job, nil)
	found := must(whole.JSON200, err, whole.Body)
	fmt.Println("job:", found.Type, found.Queue, found.State)
	answer, err := s.GetInfoWithResponse(ctx, job, nil)
	info := must(answer.JSON200, err, answer.Body)
	fmt.Println("log:", info.Events[0].Message, (*info.Events[0].Data)["customer"])
	fmt.Println("attempts:", len(info.Attempts), *info.Attempts[0].Cause)
	listed, err := s.ListJobsWithResponse(ctx, &zerog.ListJobsParams{
		Type:  &[]string{"SendInvoice", "CountWords"},
		State: &[]zerog.State{zerog.StateSucceeded},
		Limit: ptr(500),
	})
	isListed := false
	for _, other := range must(listed.JSON200, err, listed.Body).Jobs {
		isListed = isListed || other.Uuid == job
	}
	fmt.Println("listed:", isListed)
}

// fail does what is refused.
func (s story) fail() {
	none, err := s.RunJobWithResponse(ctx, "Nothing", nil, map[string]any{})
	problem := must(none.ApplicationproblemJSON404, err, none.Body)
	fmt.Println("problem:", problem.Status, problem.Code)
	wrong, err := s.RunSendInvoiceWithResponse(ctx, nil, zerog.SendInvoiceParameters{
		Customer: "Ada",
		Lines:    []zerog.SendInvoiceLine{{Article: "tea", Count: ptr(1000)}},
		Address:  home,
	})
	problem = must(wrong.ApplicationproblemJSON422, err, wrong.Body)
	fmt.Println("problem:", problem.Status, problem.Code, (*problem.Errors)[0].Path)
}

// cancel cancels jobs by a selection, and forgets one.
func (s story) cancel() {
	var held []uuid.UUID
	for range 2 {
		hold, err := s.RunHoldWithResponse(ctx, nil, zerog.HoldParameters{})
		held = append(held, must(hold.JSON201, err, hold.Body).Uuid)
	}
	var filter zerog.Filter
	filter.Type, filter.State, filter.Uuids = new(zerog.Filter_Type), new(zerog.Filter_State), new(zerog.Filter_Uuids)
	for _, err := range []error{
		filter.Type.FromFilterType0("Hold"),
		filter.State.FromFilterState1([]zerog.State{zerog.StateQueued, zerog.StateRunning}),
		filter.Uuids.FromFilterUuids1(held),
	} {
		must(&filter, err, nil)
	}
	done, err := s.CancelJobsWithResponse(ctx, zerog.Selection{Filter: filter, Limit: ptr(10)})
	changed := must(done.JSON200, err, done.Body)
	fmt.Println("cancelled:", changed.Changed, changed.More)
	for _, job := range held {
		fmt.Println("cancelled:", s.wait(job).State)
	}
	deleted, err := s.DeleteJobWithResponse(ctx, held[0])
	must(deleted, err, nil)
	gone, err := s.GetJobWithResponse(ctx, held[0], nil)
	problem := must(gone.ApplicationproblemJSON404, err, gone.Body)
	fmt.Println("deleted:", problem.Status, problem.Code)
}

// look looks at the whole system.
func (s story) look() {
	types, err := s.ListTypesWithResponse(ctx)
	var names []string
	for _, found := range must(types.JSON200, err, types.Body).Types {
		names = append(names, found.Name)
	}
	fmt.Println("types:", strings.Join(names, " "))
	queues, err := s.ListQueuesWithResponse(ctx)
	fmt.Println("queues:", must(queues.JSON200, err, queues.Body).Queues[0].Name)
	workers, err := s.ListWorkersWithResponse(ctx)
	for _, worker := range must(workers.JSON200, err, workers.Body).Workers {
		fmt.Println("workers:", worker.State, worker.Slots)
	}
	stats, err := s.GetStatsWithResponse(ctx, &zerog.GetStatsParams{Minutes: ptr(5)})
	history := must(stats.JSON200, err, stats.Body)
	fmt.Println("stats:", history.BucketSeconds, len(history.Times))
}

func main() {
	client, err := zerog.NewClientWithResponses(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	told := story{client}
	told.run()
	told.fail()
	told.cancel()
	told.look()
}
