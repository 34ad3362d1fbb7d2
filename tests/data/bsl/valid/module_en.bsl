Var Counter Export;

#Region Public

// Adds one line.
Procedure Add(Val Line, Quantity = 1, Cancel = False) Export
	For Index = 1 To Line.Count() Do
		While Index < 10 And Not Cancel Do
			Index = Index + 1;
		EndDo;
	EndDo;
	Try
		Counter = New Structure("A, B", 1, New Map);
	Except
		Raise;
	EndTry;
EndProcedure

Function Total() Export
	If Counter = Undefined Then
		Return 0;
	ElsIf Counter >= 10 Or Counter <= -10 Then
		Return Null;
	Else
		Return +Counter;
	EndIf;
EndFunction

#EndRegion
