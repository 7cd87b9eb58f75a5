"""The demo, a part of the product: a simulated carrier, pjsua2 phones, and a tour."""
