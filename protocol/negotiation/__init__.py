"""How two strangers agree on a swap: "/swapd/take/1", pure.

`messages` what travels; `checks` what is good; `maker` and `taker` who may say what when.
"""
