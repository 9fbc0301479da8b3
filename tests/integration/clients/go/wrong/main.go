// Calls that must not compile: each line that the compiler must refuse says so.
package main

import (
	"context"

	"example.com/invoices/zerog"
)

func main() {
	client, _ := zerog.NewClientWithResponses("")
	ctx, count := context.Background(), "three"
	_, _ = client.RunSendInvoiceWithResponse(ctx, nil, zerog.SendInvoiceParameters{
		Customer: 7, // refused
		Lines: []zerog.SendInvoiceLine{
			{Article: "tea", Count: &count}, // refused
			{Article: "tea", Amount: 3},     // refused
		},
		Kind: zerog.StateFailed, // refused
	})
	_, _ = client.RunUnknownWithResponse(ctx, nil, nil)                              // refused
	_, _ = client.GetProgressWithResponse(ctx, "a text", nil)                        // refused
	_, _ = client.CancelJobsWithResponse(ctx, zerog.Selection{Filter: zerog.Batch{}}) // refused
}
