/* classify MODEL.nib INPUT.f32: runs a program on one example (raw floats, in the order of the network's axes) and prints
 * the first output's reals and the largest of them. */
#include <nibble.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char* what, const char* why) {
  fprintf(stderr, "classify: %s: %s\n", what, why);
  return 1;
}

static int classify(nibble_context* context, const nibble_port* input, const nibble_port* output, FILE* file) {
  float* x = malloc(input->elements * sizeof(float));
  float* y = malloc(output->elements * sizeof(float));
  size_t largest = 0;
  int result = 1;
  if (x == NULL || y == NULL)
    fail("memory", "not enough");
  else if (fread(x, sizeof(float), input->elements, file) != input->elements)
    fail("input", "too few numbers");
  else if (nibble_set_reals(context, 0, x) != NIBBLE_OK)
    fail("input", "a number that the network does not take");
  else if (nibble_run(context) != NIBBLE_OK || nibble_get_reals(context, 0, y) != NIBBLE_OK)
    fail("run", "a step found a division by 0, or an index beyond a table");
  else {
    for (size_t i = 0; i < output->elements; ++i) {
      printf("%s%.6g", i == 0 ? "" : " ", y[i]);
      if (y[i] > y[largest]) largest = i;
    }
    printf("\n%s: class %zu\n", output->name, largest);
    result = 0;
  }
  free(x);
  free(y);
  return result;
}

int main(int count, char** words) {
  char message[256] = "";
  nibble_program* program = NULL;
  nibble_context* context = NULL;
  nibble_port input, output;
  FILE* file = NULL;
  int result = 1;
  if (count != 3) return fail("usage", "classify MODEL.nib INPUT.f32");
  if (nibble_open(words[1], NULL, &program, message, sizeof message) != NIBBLE_OK) return fail(words[1], message);
  file = fopen(words[2], "rb");
  if (file == NULL)
    fail(words[2], "cannot be opened");
  else if (nibble_context_create(program, 1, &context) != NIBBLE_OK)
    fail("memory", "not enough");
  else if (nibble_input(program, 0, &input) != NIBBLE_OK || nibble_output(program, 0, &output) != NIBBLE_OK)
    fail(words[1], "no input or no output");
  else
    result = classify(context, &input, &output, file);
  if (file != NULL) fclose(file);
  nibble_context_release(context);
  nibble_release(program);
  return result;
}
