using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Those who want the same variant of an answer at once ask once for it.</summary>
public sealed class VariantFlightTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CacheBench _bench = new();
    private readonly List<string> _asked = [];

    public VariantFlightTests() => _bench.Upstream = async asked =>
    {
        var language = Note(asked);
        await _gate.Task;
        await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60, stale-while-revalidate=60\nVary: Accept-Language\nETag: \"v\"", language);
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Thirty_who_waited_for_an_answer_in_another_language_ask_once_for_their_own()
    {
        await CallAsync([.. Enumerable.Repeat("de", 30).Prepend("en")]);
        Assert.Equal(["de", "en"], Languages());
    }

    [Fact]
    public async Task Many_languages_at_once_cost_a_request_each()
    {
        await CallAsync([.. Enumerable.Range(0, 60).Select(i => ((string[])["en", "de", "fr", "it"])[i % 4])]);
        Assert.Equal(["de", "en", "fr", "it"], Languages());
    }

    [Fact]
    public async Task Once_it_is_known_by_what_answers_vary_nobody_waits_for_another_language()
    {
        _gate.SetResult();
        await _bench.CallAsync(fields: "Accept-Language: en");
        var (french, german) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _bench.Upstream = async asked =>
        {
            var language = Note(asked);
            await (language == "fr" ? french : german).Task;
            await CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Accept-Language", language);
        };
        var calls = Enumerable.Range(0, 20).Select(i => _bench.CallAsync(fields: "Accept-Language: " + (i % 2 == 0 ? "fr" : "de"))).ToList();
        Assert.Equal(["de", "en", "fr"], Languages());
        german.SetResult();
        Assert.All(await Task.WhenAll(calls.Where((_, i) => i % 2 == 1)).WaitAsync(Patience, Cancellation), answer => Assert.Equal("de", answer.Content));
        french.SetResult();
        await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(["de", "en", "fr"], Languages());
    }

    [Fact]
    public async Task Two_stale_variants_are_refreshed_side_by_side()
    {
        _gate.SetResult();
        await CallAsync(["en", "de"]);
        _bench.Time.Advance(TimeSpan.FromSeconds(70));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var asked = 0;
        _bench.Upstream = async refresh =>
        {
            Interlocked.Increment(ref asked);
            await gate.Task;
            await CacheBench.Answer(refresh, 304, "Cache-Control: max-age=60");
        };
        await CallAsync(["en", "de", "en", "de"]);
        for (var i = 0; i < 2000 && Volatile.Read(ref asked) < 2; i++)
        {
            await Task.Delay(5, Cancellation);
        }

        Assert.Equal((2, 2), (asked, _bench.Cache.Flights.Count));
        gate.SetResult();
    }

    private async Task CallAsync(string[] languages)
    {
        var calls = languages.Select(language => _bench.CallAsync(fields: "Accept-Language: " + language)).ToList();
        _gate.TrySetResult();
        var answers = await Task.WhenAll(calls).WaitAsync(Patience, Cancellation);
        Assert.Equal(languages, answers.Select(answer => answer.Content));
    }

    private string Note(Exchange asked)
    {
        var language = asked.RequestHeaders.Get("Accept-Language")!;
        lock (_asked)
        {
            _asked.Add(language);
        }

        return language;
    }

    private string[] Languages()
    {
        lock (_asked)
        {
            return [.. _asked.Order(StringComparer.Ordinal)];
        }
    }
}
