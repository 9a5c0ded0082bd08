namespace Tidegate.Exchanges;

/// <summary>Whatever comes next on an exchange's path. It leaves its answer (response, rejection or failure) on the exchange.</summary>
public delegate ValueTask ExchangeHandler(Exchange exchange);
