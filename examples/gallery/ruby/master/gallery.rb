require "sinatra/base"
require_relative "pictures"

# A page with all pictures, and a form that adds one.
class Gallery < Sinatra::Base
  TYPES = {"image/png" => ".png", "image/jpeg" => ".jpg", "image/gif" => ".gif", "image/webp" => ".webp"}.freeze

  use Rack::CommonLogger, $stdout
  $stdout.sync = true

  # The log has the whole exception; visitors are told no more than this.
  error do
    "<!doctype html><title>Application error</title><h1>Application error</h1>\n"
  end

  get "/" do
    @pictures = Pictures.all
    erb :gallery
  end

  post "/pictures" do
    upload = params["picture"]
    halt 422, "Choose a picture (PNG, JPEG, GIF or WebP).\n" unless upload.is_a?(Hash) && TYPES.key?(upload[:type])
    name = Pictures.add(upload[:tempfile].read, upload[:type])
    puts "Stored the picture #{name}"
    redirect to("/"), 303
  end

  get "/pictures/:name" do
    content, type = Pictures.find(params["name"])
    halt 404, "There is no such picture.\n" unless content
    headers "X-Content-Type-Options" => "nosniff"
    content_type type
    content
  end
end
