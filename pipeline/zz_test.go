package pipeline
import ("testing";"testing/synctest";"log/slog";"os";"strconv")
func TestZZ(t *testing.T){
	seed,_:=strconv.ParseUint(os.Getenv("SEED"),10,64)
	silent = slog.New(slog.NewTextHandler(os.Stdout,nil))
	simTrace=true
	synctest.Test(t, func(t *testing.T){
		s:=newSimulation(t)
		h:=s.history(seed/perHistory*perHistory)
		_,err:=s.play(seed,h,nil)
		if err!=nil { t.Log(err.Error()[:200]) }
	})
}
