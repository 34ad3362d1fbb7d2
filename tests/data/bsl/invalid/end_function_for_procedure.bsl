// error at 3:1
Procedure P()
EndFunction
