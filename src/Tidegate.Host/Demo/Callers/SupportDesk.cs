namespace Tidegate.Host.Demo.Callers;

/// <summary>Support drafts answers with a language model. Its library only knows HTTPS_PROXY, so the gateway opens the tunnel. Some stop reading half way.</summary>
internal sealed class SupportDesk : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 0.3, 08:00 1, 08:30 2, 10:55 2.2, 11:05 0.8, 11:30 2, 12:00 1.2");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        if (random.Chance(0.05))
        {
            return new DemoCall("support", CallRoute.Intercepted, "GET", "https://api.assistant.example/v1/models");
        }

        var content = $$"""{"model":"{{(random.Chance(0.4) ? "tern-large" : "tern-small")}}","stream":{{(random.Chance(0.85) ? "true" : "false")}},"messages":[{"role":"user","content":"Where is my order {{1_000 + random.Below(900)}}?"}]}""";
        return new DemoCall("support", CallRoute.Intercepted, "POST", "https://api.assistant.example/v1/chat/completions")
        {
            Content = content,
            Patience = random.Chance(0.06) ? random.Duration(700) : TimeSpan.FromSeconds(30),
        };
    }
}
