// error at 2:11
For I = 1 Do
EndDo;
