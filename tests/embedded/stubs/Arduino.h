#pragma once
// As much of Arduino's core as the sketch of examples/ calls.
#include <cstdint>
#include <cstdio>
enum { LOW, HIGH, OUTPUT, LED_BUILTIN, A0 };
struct SerialPort {
  void begin(long) {}
  void print(const char* text) { std::printf("%s", text); }
  void println(const char* text) { std::printf("%s\n", text); }
  void println(int number) { std::printf("%d\n", number); }
};
extern SerialPort Serial;
void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);
int analogRead(int pin);
void delay(unsigned long milliseconds);
void setup();
void loop();
