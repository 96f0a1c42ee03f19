package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/weirstream/weir/ssm"
)

// verifyCmd is weir verify.
type verifyCmd struct {
	Dir string  `arg:"" name:"model-dir" help:"Folder with config.json, model.safetensors and reference.safetensors."`
	Tol float64 `help:"Greatest absolute error that passes (${default})." default:"1e-4"`
}

// Help returns what the help text says below the flags.
func (*verifyCmd) Help() string {
	return `Runs the model over the reference's input_ids in each form, step by step, as a sequence and
in parallel, and compares logits and final states with those that another implementation,
such as PyTorch, has stored there. Prints one line with the greatest absolute error of each. The exit code is 0 where all pass, 1
where one does not, and 3 where the folder is no valid model.

Examples:
  weir verify models/mamba-130m
  weir verify --tol 1e-5 models/mamba-130m`
}

// Run compares, and prints the errors.
func (c *verifyCmd) Run(std *streams) error {
	if !(c.Tol >= 0) { // nor NaN
		return usageErrorf("--tol is %g, want 0 or more", c.Tol)
	}
	if info, err := os.Stat(c.Dir); err != nil {
		return fmt.Errorf("%w: %w", ssm.ErrModel, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%w: %s is not a folder", ssm.ErrModel, c.Dir)
	}
	errs, err := ssm.Verify(os.DirFS(c.Dir))
	if err != nil {
		return fmt.Errorf("verify %s: %w", c.Dir, err)
	}
	if _, err := fmt.Fprintln(std.out, "max_abs_error", byQuantity(errs)); err != nil {
		return err
	}
	if worst := errs.Max(); !(worst <= c.Tol) { // NaN fails
		return fmt.Errorf("verify %s: the greatest error %.2g is above the tolerance %g", c.Dir, worst, c.Tol)
	}
	return nil
}

// byQuantity returns "logits=1.2e-06 ssm_state=…": the greatest error of each quantity, over
// all layers and over both forms of the logits.
func byQuantity(errs ssm.Errors) string {
	var names []string
	worst := map[string]float64{}
	for _, e := range errs {
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Tensor, "step_"), ".")
		if _, seen := worst[name]; !seen {
			names = append(names, name)
		}
		worst[name] = max(worst[name], e.MaxAbs)
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s=%.1e", name, worst[name])
	}
	return strings.Join(names, " ")
}
