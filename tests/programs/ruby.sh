#!/bin/sh
# ruby: strings, hashes, symbols, regular expressions and threads, with garbage collections in between.

. "$(dirname "$0")/data/common.sh"
need ruby

rounds=4
soaking && rounds=100

cat >load.rb <<'END'
require 'digest/sha2' # with 'digest' alone, the threads would load it at the same time, which fails now and then
require 'json'

def work(seed, rounds)
  state = seed
  number = ->(below) { (state = state * 16807 % 2147483647) % below }
  digest = Digest::SHA256.new
  kept = []
  rounds.times do |round|
    words = Array.new(8000) { (97 + number.(26)).chr * (1 + number.(60)) }
    count = words.each_with_object(Hash.new(0)) { |word, all| all[word] += 1 }
    text = JSON.generate(count.sort_by { |word, times| [-times, word] })
    digest.update(text.gsub(/([aeiou])\1+/) { |run| run.upcase })
    kept << 'y' * number.(100_000)
    kept.delete_if { number.(2).zero? } if kept.size > 15
    digest.update(JSON.parse(text).flatten.join('-'))
    GC.start if round.odd?
  end
  digest.hexdigest
end

threads = (1..4).map { |seed| Thread.new { work(seed, ARGV[0].to_i) } }
puts threads.map(&:value)
END

preloaded ruby load.rb "$rounds"
