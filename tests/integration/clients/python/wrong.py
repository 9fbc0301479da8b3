"""Calls that a type checker must refuse: each line where it must says so."""

from zerog_api_client import Client
from zerog_api_client.api.jobs import list_jobs, run_send_invoice
from zerog_api_client.models import Filter, SendInvoiceAddress, SendInvoiceLine
from zerog_api_client.models import SendInvoiceParameters as Invoice

client = Client("")
address = SendInvoiceAddress(street="Main Street 1", city="London")

Invoice(customer=7, lines=[], address=address)  # refused
Invoice(customer="Ada", lines=[])  # refused
Invoice(customer="Ada", lines=[], address=address, currency="gbp")  # refused
SendInvoiceLine(article="tea", count="three")  # refused
Filter(type_=7)  # refused
list_jobs.sync(client=client, state=["finished"])  # refused
run_send_invoice.sync(client=client, body=address)  # refused
