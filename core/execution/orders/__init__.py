"""Orders: pictures that are asked for together, made later at a lower price, and collected by themselves.

order_placing    places the orders of one run
order_file       the requests of an order, on disk while they are sent
order_sender     the requests of an order's life, with its key
order_creation   creates an order once: after a lost answer the provider's own list says whether it is there
order_list       searches that list for an order by its name
order_answers    reads the answers one by one, and stores each picture
order_reading    reads an answer that was kept once more
order            one order, from its requests to its pictures, on one thread
order_book       the open orders of this process
"""
