#include <Arduino.h>

SerialPort Serial;
static int reads, writes;
void pinMode(int, int) {}
void digitalWrite(int, int) {
  ++writes;
}
int analogRead(int) {
  return ++reads * 37 % 1024;
}
void delay(unsigned long) {}

int main() {
  setup();
  for (int i = 0; i < 3; ++i) loop();
  return writes == 3 ? 0 : 1;
}
