"""What runs dynos: implementations of `senryu.core.dyno.Engine` and `OutputReader`."""
