require "sinatra/base"

class App < Sinatra::Base
  set :greeting, ENV.fetch("GREETING", "Hello from Sinatra")

  get "/" do
    erb :index
  end

  get "/environment" do
    content_type :text
    "#{settings.environment} on #{ENV.fetch("DYNO", "no dyno")}\n"
  end
end
